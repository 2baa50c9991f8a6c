// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// The peer ws; see common.py.

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
const { WebSocket, WebSocketServer } = require('ws');

// What ws calls compression that is asked for by the names of RFC 7692.
function compression(deflate) {
  if (!deflate) return deflate === false ? { perMessageDeflate: false } : {};
  const perMessageDeflate = { threshold: 0 };
  for (const [name, value] of Object.entries(deflate)) {
    const option = name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
    perMessageDeflate[option] = value;
  }
  return { perMessageDeflate };
}

class Link {
  constructor(id, socket) {
    this.socket = socket;
    links.set(id, this);
    socket.on('message', (data, isBinary) => received(id, !isBinary, data));
    socket.on('pong', (data) => emit('pong', { id, payload: data.toString() }));
    socket.on('close', (code, reason) => {
      emit('close', { id, code, reason: reason.toString() });
    });
    socket.on('error', (error) => failed(id, error));
  }

  send(kind, data) {
    this.socket.send(data, { binary: kind !== 'text' });
  }

  sendPlain(kind, data) {
    this.socket.send(data, { binary: kind !== 'text', compress: false });
  }

  sendFragments(kind, pieces) {
    pieces.forEach((piece, index) => {
      const fin = index === pieces.length - 1;
      this.socket.send(piece, { binary: kind !== 'text', fin });
    });
  }

  ping(data) {
    this.socket.ping(data);
  }

  close(code, reason) {
    this.socket.close(code, reason);
  }
}

function serve(server, deflate) {
  const sockets = new WebSocketServer({
    server,
    ...compression(deflate),
    handleProtocols: (protocols) => protocols.has(SPOKEN) && SPOKEN,
    verifyClient: ({ req }, decide) => {
      const refused = readTarget(req.url)[0] === '/refuse';
      decide(!refused, 403, REFUSAL);
    }
  });
  sockets.on('connection', (socket, request) => {
    const [path, id] = readTarget(request.url);
    const version = Number(request.headers['sec-websocket-version']);
    const origin =
      request.headers[version === 8 ? 'sec-websocket-origin' : 'origin'];
    const link = new Link(id, socket);
    if (path === '/greet') link.send('text', payload('text', 5));
    emit('open', {
      id,
      protocol: socket.protocol || null,
      version,
      origin: origin || null
    });
  });
}

function connect(command) {
  const { id } = command;
  const socket = new WebSocket(command.url, command.protocols, {
    protocolVersion: command.version,
    origin: command.origin || undefined,
    ...tlsOptions(command),
    ...compression(command.deflate)
  });
  new Link(id, socket);
  socket.on('open', () => emit('open', { id, protocol: socket.protocol || null }));
  socket.on('unexpected-response', (request, response) => {
    const why = response.headers['x-why'] || null;
    emit('refused', { id, status: response.statusCode, why });
    request.destroy();
  });
}

converse({ serve, connect });
