// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// Runs a block of docs/porting.md, that comes by stdin: "node porting.js serve" says on
// which port it listens; "node porting.js talk URL" says what came of it, as JSON.

'use strict';

const fs = require('fs');

const [, , name, url] = process.argv;
const code = `${fs.readFileSync(0, 'utf8')}\nreturn ${name};`;
const run = new Function('require', code)(require);

if (name === 'serve') {
  const server = run(0);
  server.on('listening', () => console.log(`port ${server.address().port}`));
} else {
  run(url, (error, answer) => {
    if (error) throw error;
    console.log(`answer ${JSON.stringify(answer)}`);
  });
}
