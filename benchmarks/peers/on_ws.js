// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// An echo server with ws.

'use strict';

const { WebSocket, WebSocketServer } = require('ws');
const { asked, httpServer, listen } = require('./node');

const server = httpServer();
const sockets = new WebSocketServer({
  server,
  perMessageDeflate: asked.plain ? false : { threshold: 0 }
});

// As all others, an application gets a string and sends one.
function message(data, isBinary) {
  return isBinary ? data : data.toString();
}

sockets.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => {
    const received = message(data, isBinary);
    if (!asked.broadcast) {
      socket.send(received);
      return;
    }
    for (const each of sockets.clients) {
      if (each.readyState === WebSocket.OPEN) each.send(received);
    }
  });
});
listen(server, 'ws');
