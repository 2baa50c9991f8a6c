// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// What the servers on Node have in common; see ask and ready in __init__.py.

'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const path = require('path');
const { parseArgs } = require('util');

const asked = parseArgs({
  options: {
    plain: { type: 'boolean', default: false },
    broadcast: { type: 'boolean', default: false },
    tls: { type: 'string' }
  }
}).values;

// The folder of a package: not all let their package.json be required.
function version(name) {
  let folder = path.dirname(require.resolve(name));
  while (!fs.existsSync(path.join(folder, 'package.json'))) {
    folder = path.dirname(folder);
  }
  return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'))).version;
}

function has(name) {
  try {
    require(name);
    return true;
  } catch {
    return false;
  }
}

function httpServer() {
  if (!asked.tls) return http.createServer();
  const pem = fs.readFileSync(asked.tls);
  return https.createServer({ cert: pem, key: pem });
}

function listen(server, name) {
  server.listen(0, '127.0.0.1', 1024, () => {
    const fast = has('bufferutil') ? 'bufferutil' : 'no bufferutil';
    const node = `Node ${process.version}`;
    const { port } = server.address();
    console.log(`${port} ${name} ${version(name)}, ${node}, ${fast}`);
  });
}

module.exports = { asked, httpServer, listen };
