// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// What the Node peers have in common; common.py describes the conversation.

'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const https = require('https');
const readline = require('readline');

function sha256(data) {
  return crypto.createHash('sha256').update(data).digest();
}

const PATTERNS = {
  noise: Buffer.concat(Array.from({ length: 640 }, (_, at) => sha256(String(at)))),
  zeros: Buffer.alloc(1),
  binary: Buffer.from(Array.from({ length: 251 }, (_, value) => value)),
  text: Buffer.from('a\u00e9\u20ac\u{1f600}')
};

const links = new Map();

function payload(kind, size) {
  const pattern = PATTERNS[kind];
  const rest = size % pattern.length;
  const data = Buffer.alloc(size, pattern);
  if (kind === 'text') data.fill('a', size - rest);
  return data;
}

function pieces(kind, sizes) {
  const data = payload(kind, sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  return sizes.map((size) => data.subarray(at, (at += size)));
}

function emit(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');
}

function received(id, isText, data) {
  emit(isText ? 'text' : 'binary', {
    id,
    length: data.length,
    sha256: sha256(data).toString('hex')
  });
}

function failed(id, error) {
  emit('error', { id, message: String((error && error.stack) || error) });
}

function readTarget(target) {
  const url = new URL(target, 'ws://peer');
  return [url.pathname, Number(url.searchParams.get('id'))];
}

// The server that the library is put into.
function httpServer(tls) {
  if (!tls) return http.createServer();
  const cert = fs.readFileSync(tls.certificate);
  return https.createServer({ cert, key: fs.readFileSync(tls.key) });
}

function tlsOptions({ ca, alpn }) {
  if (ca === null) return {};
  const options = { ca: fs.readFileSync(ca) };
  if (alpn.length) options.ALPNProtocols = alpn;
  return options;
}

function obey(program, command) {
  const { id } = command;
  if (command.do === 'listen') {
    const server = httpServer(command.tls);
    program.serve(server, command.deflate);
    server.listen(0, '127.0.0.1', () => {
      emit('listening', { port: server.address().port });
    });
  } else if (command.do === 'connect') {
    program.connect(command);
  } else {
    const link = links.get(id);
    if (command.do === 'send') {
      link.send(command.kind, payload(command.kind, command.size));
    } else if (command.do === 'plain') {
      link.sendPlain(command.kind, payload(command.kind, command.size));
    } else if (command.do === 'fragments') {
      link.sendFragments(command.kind, pieces(command.kind, command.sizes));
    } else if (command.do === 'ping') {
      link.ping(Buffer.from(command.payload));
    } else if (command.do === 'close') {
      link.close(command.code, command.reason);
    } else {
      throw new Error(`no such command: ${command.do}`);
    }
  }
}

// Obey until stdin ends.
function converse(program) {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const command = JSON.parse(line);
    try {
      obey(program, command);
    } catch (error) {
      failed(command.id, error);
    }
  });
  lines.on('close', () => process.exit(0));
}

module.exports = {
  REFUSAL: 'not for you',
  SPOKEN: 'chat.v1',
  converse,
  emit,
  failed,
  links,
  payload,
  readTarget,
  received,
  tlsOptions
};
