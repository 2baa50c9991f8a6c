// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// An echo server with websocket, better known as WebSocket-Node, which does not
// compress.

'use strict';

const { server: Server } = require('websocket');
const { asked, httpServer, listen } = require('./node');

const server = httpServer();
const sockets = new Server({
  httpServer: server,
  autoAcceptConnections: false,
  // By default it takes frames of 64 KiB: too little for a workload.
  maxReceivedFrameSize: 1 << 20
});

sockets.on('request', (request) => {
  const connection = request.accept(null, request.origin);
  connection.on('error', () => {});
  connection.on('message', (message) => {
    const isText = message.type === 'utf8';
    const data = isText ? message.utf8Data : message.binaryData;
    if (asked.broadcast) sockets.broadcast(data);
    else if (isText) connection.sendUTF(data);
    else connection.sendBytes(data);
  });
});
listen(server, 'websocket');
