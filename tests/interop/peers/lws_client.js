// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// Talks to a libwebsockets test server with the client of websocket, better known as
// WebSocket-Node, and tells what came:
//
//   node lws_client.js URL VERSION [CA-FILE]

'use strict';

const fs = require('fs');
const { emit } = require('./common');
const { client: Client } = require('websocket');

const [url, version, ca] = process.argv.slice(2);
const STROKES = ['d #ff0000 1 2 3 4;', 'c #00ff00 5 6 7;', 'd #0000ff 8 9 10 11;'];

// Connect, and tell of all that happens, under a name. What comes can be awaited, too.
function open(name, protocol) {
  const client = new Client({
    webSocketVersion: Number(version),
    tlsOptions: ca ? { ca: fs.readFileSync(ca) } : {}
  });
  return new Promise((resolve, reject) => {
    client.on('connectFailed', reject);
    client.on('connect', (connection) => {
      const cookies = client.response.headers['set-cookie'] || [];
      emit('open', { name, protocol: connection.protocol, cookies });
      const came = [];
      let wake = () => {};
      connection.on('message', (message) => {
        emit('message', { name, type: message.type, text: message.utf8Data });
        came.push(message.utf8Data);
        wake();
      });
      connection.next = async () => {
        while (!came.length) await new Promise((next) => { wake = next; });
        return came.shift();
      };
      connection.end = () => new Promise((ended) => {
        connection.on('close', (code) => {
          emit('close', { name, code });
          ended();
        });
        connection.close(1000);
      });
      resolve(connection);
    });
    client.connect(url, protocol);
  });
}

async function count() {
  const counter = await open('counter', 'dumb-increment-protocol');
  while (await counter.next() !== '4');
  counter.sendUTF('reset\n');
  while (await counter.next() !== '0');
  while (await counter.next() !== '2');
  await counter.end();
}

async function draw() {
  const first = await open('first', 'lws-mirror-protocol');
  first.sendBytes(Buffer.from('clear;'));
  for (const stroke of STROKES) first.sendUTF(stroke);
  for (const _ of STROKES) await first.next();
  const second = await open('second', 'lws-mirror-protocol');
  await second.next();
  second.sendUTF('clear;');
  await Promise.all([first.next(), second.next()]);
  const third = await open('third', 'lws-mirror-protocol');
  third.sendUTF(STROKES[0]);
  await Promise.all([first.next(), second.next(), third.next()]);
  for (const each of [first, second, third]) await each.end();
}

Promise.all([count(), draw()]).catch((error) => {
  emit('error', { message: String(error) });
  process.exit(1);
});
