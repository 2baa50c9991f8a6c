// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// The peer websocket, better known as WebSocket-Node; see common.py.

'use strict';

const {
  REFUSAL,
  SPOKEN,
  converse,
  emit,
  failed,
  links,
  payload,
  readTarget,
  received,
  tlsOptions
} = require('./common');
const { client: Client, frame: Frame, server: Server } = require('websocket');

class Link {
  constructor(id, connection) {
    this.connection = connection;
    links.set(id, this);
    connection.on('message', (message) => {
      const isText = message.type === 'utf8';
      received(id, isText, isText ? Buffer.from(message.utf8Data) : message.binaryData);
    });
    connection.on('pong', (data) => emit('pong', { id, payload: data.toString() }));
    connection.on('close', (code, reason) => emit('close', { id, code, reason }));
    connection.on('error', (error) => failed(id, error));
  }

  send(kind, data) {
    if (kind === 'text') this.connection.sendUTF(data.toString());
    else this.connection.sendBytes(data);
  }

  sendFragments(kind, pieces) {
    const { connection } = this;
    pieces.forEach((piece, index) => {
      const { maskBytes, frameHeader, config } = connection;
      const frame = new Frame(maskBytes, frameHeader, config);
      frame.opcode = index > 0 ? 0 : kind === 'text' ? 1 : 2;
      frame.fin = index === pieces.length - 1;
      frame.binaryPayload = piece;
      connection.sendFrame(frame);
    });
  }

  ping(data) {
    this.connection.ping(data);
  }

  close(code, reason) {
    this.connection.close(code, reason);
  }
}

function serve(httpServer) {
  const server = new Server({ httpServer, autoAcceptConnections: false });
  server.on('request', (request) => {
    const [path, id] = readTarget(request.resource);
    if (path === '/refuse') {
      request.reject(403, REFUSAL);
      return;
    }
    const { origin, webSocketVersion: version } = request;
    const speaks = request.requestedProtocols.includes(SPOKEN);
    const connection = request.accept(speaks ? SPOKEN : null, origin);
    const link = new Link(id, connection);
    if (path === '/greet') link.send('text', payload('text', 5));
    const protocol = connection.protocol || null;
    emit('open', { id, protocol, version, origin: origin || null });
  });
}

function connect(command) {
  const { id } = command;
  const client = new Client({
    webSocketVersion: command.version,
    tlsOptions: tlsOptions(command)
  });
  client.on('connect', (connection) => {
    new Link(id, connection);
    emit('open', { id, protocol: connection.protocol || null });
  });
  client.on('connectFailed', (error) => failed(id, error));
  client.on('httpResponse', (response) => {
    const why = response.headers['x-why'] || null;
    emit('refused', { id, status: response.statusCode, why });
  });
  client.connect(command.url, command.protocols, command.origin);
}

converse({ serve, connect });
