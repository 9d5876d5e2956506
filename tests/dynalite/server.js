// Serves an empty DynamoDB from memory, says its port, and ends with whoever started it.
const { createRequire } = require('node:module')
const path = require('node:path')

const dynalite = createRequire(path.join(process.argv[2], 'package.json'))('dynalite')
const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 })
server.keepAliveTimeout = 60_000 // a client that reuses a connection as it is closed sees a reset
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
