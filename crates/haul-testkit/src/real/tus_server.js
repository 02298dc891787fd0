// @tus/server with its file store over a folder, as the JSON object in the first argument says; tells its port once it
// listens.
'use strict'

const { createServer } = require('node:http')
const { pathToFileURL } = require('node:url')

// The packages are modules that only import() takes, which does not look where NODE_PATH points.
const load = (name) => import(pathToFileURL(require.resolve(name)).href)

async function main() {
  const { root, maxSize, expires, relative } = JSON.parse(process.argv[2])
  const { Server } = await load('@tus/server')
  const { FileStore } = await load('@tus/file-store')
  const datastore = new FileStore({ directory: root, expirationPeriodInMilliseconds: expires ?? 0 })
  const options = { path: '/files', datastore, relativeLocation: relative }
  const tus = new Server(maxSize === null ? options : { ...options, maxSize })
  const server = createServer((request, response) => tus.handle(request, response))
  server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
  process.on('SIGTERM', () => process.exit(0))
}

main()
