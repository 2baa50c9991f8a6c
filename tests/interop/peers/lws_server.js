// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// A libwebsockets test server, made with the server and the router of websocket, better
// known as WebSocket-Node; tells what its clients do:
//
//   node lws_server.js [KEY-FILE CERTIFICATE-FILE]

'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const { emit } = require('./common');
const { router: Router, server: Server } = require('websocket');

const [key, cert] = process.argv.slice(2).map((file) => fs.readFileSync(file));
const httpServer = key ? https.createServer({ key, cert }) : http.createServer();
const router = new Router();
router.attachServer(new Server({ httpServer }));

function accept(request, cookies) {
  const connection = request.accept(request.origin, cookies);
  const { protocol, webSocketVersion: version } = connection;
  emit('accepted', { protocol, version });
  connection.on('close', (code) => emit('closed', { protocol, code }));
  return connection;
}

const members = new Set();
let history = [];

router.mount('*', 'lws-mirror-protocol', (request) => {
  const cookie = { name: 'TestCookie', value: 'CookieValue7', path: '/', httponly: true };
  const connection = accept(request, [cookie]);
  if (history.length) connection.sendUTF(history.join(''));
  members.add(connection);
  connection.on('message', ({ type, utf8Data: text }) => {
    emit('drawn', { type, text });
    if (text === 'clear;') history = [];
    else history.push(text);
    for (const member of members) member.sendUTF(text);
  });
  connection.on('close', () => members.delete(connection));
});

router.mount('*', 'dumb-increment-protocol', (request) => {
  const connection = accept(request);
  let number = 0;
  const timer = setInterval(() => connection.sendUTF(String(number++)), 50);
  connection.on('close', () => clearInterval(timer));
});

httpServer.listen(0, '127.0.0.1', () => {
  emit('listening', { port: httpServer.address().port });
});
