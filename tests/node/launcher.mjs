// The reference PDS on 127.0.0.1, with what tests need around it: a PLC directory that lives in
// memory, ready-made accounts, and a control port that counts requests and breaks some of them.
// Prints one line of JSON once everything answers, and serves until SIGTERM (or stdin closes).
//
//   node launcher.mjs --modules FOLDER [--accounts a.test,b.test] [--data FOLDER] [--rate-limits]
//                     [--blob-limit BYTES] [--access-ttl SECONDS] [--no-did-doc]
//                     [--slow-logins] [--log FILE] [--exit-with-stdin]
//
// With --no-did-doc, the answer to a login has no DID document, as it is with some servers.
// With --slow-logins, a login takes as long as elsewhere: 350 ms, and 100 ms of a core.
// With --data, a second start on the same folder has the same ports, accounts and records.
//
// Control port:
//   GET  /stats    {requests: {<nsid>: {count, statuses: {<status>: n}}}, rss}
//   POST /reset    forgets the counts, the faults and the doctored DID documents
//   POST /idle     answers when the background work of the PDS is done
//   POST /faults   a list that replaces the one before, first match wins:
//                    match      part of the endpoint's name; '' is every request
//                    skip, times  leave the first `skip` (0) alone, then act `times` (1) times
//                    delayMs    wait first; alone, the request then runs as usual
//                    hang       never answer
//                    drop       cut the connection, nothing was done
//                    after      do it, then cut the connection: the lost answer
//                    status (+ error, message, headers, body)  answer this, nothing was done
//   POST /plc      {did, document, status}: the PLC directory answers this status and the DID
//                  document with these members replaced (a whole one for a DID that it doesn't know)
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import crypto, { randomBytes } from 'node:crypto'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { pathToFileURL } from 'node:url'

const LOOPBACK = '127.0.0.1'
const PASSWORD = 'correct horse battery staple'

const { values: options } = parseArgs({
  options: {
    modules: { type: 'string' },
    accounts: { type: 'string', default: '' },
    data: { type: 'string' },
    'rate-limits': { type: 'boolean', default: false },
    'blob-limit': { type: 'string' },
    'access-ttl': { type: 'string' },
    'no-did-doc': { type: 'boolean', default: false },
    'slow-logins': { type: 'boolean', default: false },
    log: { type: 'string' },
    'exit-with-stdin': { type: 'boolean', default: false },
  },
})

// ---- what outlives a restart on the same folder

const folder = options.data ?? fs.mkdtempSync(path.join(os.tmpdir(), 'reference-pds-'))
for (const name of ['db', 'blobs', 'upload']) {
  fs.mkdirSync(path.join(folder, name), { recursive: true })
}
const stateFile = path.join(folder, 'state.json')
const state = fs.existsSync(stateFile)
  ? JSON.parse(fs.readFileSync(stateFile, 'utf8'))
  : {
      port: await freePort(),
      plcPort: await freePort(),
      jwtSecret: randomBytes(16).toString('hex'),
      rotationKey: randomBytes(32).toString('hex'),
      plc: {}, // DID → its operations, the oldest first
      accounts: [],
    }

function save() {
  fs.writeFileSync(stateFile, JSON.stringify(state))
}

async function freePort() {
  const server = await listen(http.createServer(), 0)
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function listen(server, port) {
  server.listen(port, LOOPBACK)
  await once(server, 'listening')
  return server
}

async function readText(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text
}

function answer(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}

// ---- the PLC directory

const doctored = new Map() // DID → {document, status}

// The shape that plc.directory answers: one Multikey per verification method.
function didDocument(did, operation) {
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
    id: did,
    alsoKnownAs: operation.alsoKnownAs,
    verificationMethod: Object.entries(operation.verificationMethods).map(([name, key]) => ({
      id: `${did}#${name}`,
      type: 'Multikey',
      controller: did,
      publicKeyMultibase: key.replace('did:key:', ''),
    })),
    service: Object.entries(operation.services).map(([name, { type, endpoint }]) => ({
      id: `#${name}`,
      type,
      serviceEndpoint: endpoint,
    })),
  }
}

function resolve(did, operation) {
  const { document, status = 200 } = doctored.get(did) ?? {}
  const known = operation && operation.type !== 'plc_tombstone'
  if (status !== 200) return [status, { message: `doctored: ${did}` }]
  if (!known && !document) return [404, { message: `DID not registered: ${did}` }]
  return [200, { ...(known ? didDocument(did, operation) : {}), ...document }]
}

async function plcDirectory(request, response) {
  const [did, ...rest] = decodeURIComponent(request.url).slice(1).split('/')
  const operations = state.plc[did] ?? []
  const last = operations.at(-1)
  if (request.method === 'POST') {
    state.plc[did] = [...operations, JSON.parse(await readText(request))]
    save()
    return answer(response, 200, {})
  }
  if (rest.length === 0) return answer(response, ...resolve(did, last))
  if (!last) return answer(response, 404, { message: `DID not registered: ${did}` })
  const parts = { log: operations, 'log/last': last, data: { did, ...last } }
  return answer(response, 200, parts[rest.join('/')])
}

// ---- faults, in front of the PDS

let faults = []
let requests = {}

function nextFault(endpoint) {
  for (const fault of faults) {
    if (fault.times <= 0 || !endpoint.includes(fault.match)) continue
    if (fault.skip > 0) {
      fault.skip -= 1
      continue
    }
    fault.times -= 1
    return fault
  }
  return {}
}

function loseTheAnswer(request, response) {
  response.write = () => true
  response.end = () => {
    request.socket.destroy()
    return response
  }
}

function withFaults(app) {
  return async (request, response) => {
    const endpoint = request.url.split('?')[0].replace('/xrpc/', '')
    const seen = (requests[endpoint] ??= { count: 0, statuses: {} })
    seen.count += 1
    response.on('finish', () => {
      seen.statuses[response.statusCode] = (seen.statuses[response.statusCode] ?? 0) + 1
    })
    const fault = nextFault(endpoint)
    if (fault.delayMs) await sleep(fault.delayMs)
    if (fault.hang) return
    if (fault.drop) return request.socket.destroy()
    if (fault.status) {
      request.resume()
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers })
      const { error = 'InjectedFault', message = 'a fault made by the test' } = fault
      return response.end(fault.body ?? JSON.stringify({ error, message }))
    }
    if (fault.after) loseTheAnswer(request, response)
    app(request, response)
  }
}

// ---- the PDS

function configure() {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('PDS_') || name.startsWith('LOG_')) delete process.env[name]
  }
  Object.assign(process.env, {
    PDS_HOSTNAME: 'localhost', // serves http://localhost:PORT, with handles below .test
    PDS_PORT: String(state.port),
    PDS_DATA_DIRECTORY: path.join(folder, 'db'),
    PDS_BLOBSTORE_DISK_LOCATION: path.join(folder, 'blobs'),
    PDS_BLOBSTORE_DISK_TMP_LOCATION: path.join(folder, 'upload'),
    PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: state.rotationKey,
    PDS_JWT_SECRET: state.jwtSecret,
    PDS_ADMIN_PASSWORD: PASSWORD,
    PDS_DID_PLC_URL: `http://localhost:${state.plcPort}`, // the PDS refuses a URL with an IP address
    PDS_DEV_MODE: '1',
    PDS_INVITE_REQUIRED: '0',
    PDS_SERVICE_HANDLE_DOMAINS: '.test',
    PDS_ENABLE_DID_DOC_WITH_SESSION: options['no-did-doc'] ? '0' : '1',
    PDS_RATE_LIMITS_ENABLED: options['rate-limits'] ? '1' : '0',
    PDS_RATE_LIMIT_BYPASS_KEY: 'bypass',
    LOG_ENABLED: options.log ? '1' : '0',
    ...(options.log && { LOG_DESTINATION: options.log }),
    ...(options['blob-limit'] && { PDS_BLOB_UPLOAD_LIMIT: options['blob-limit'] }),
  })
}

// The lifetime of an access token is a constant of the PDS, so sign those that it hands out anew.
async function shortenAccessTokens(accountManager, seconds) {
  const { SignJWT, decodeJwt } = await load('jose')
  const secret = new TextEncoder().encode(state.jwtSecret)
  for (const method of ['createSession', 'rotateRefreshToken', 'createAccountAndSession']) {
    const original = accountManager[method].bind(accountManager)
    accountManager[method] = async (...args) => {
      const session = await original(...args)
      if (!session) return session
      const { iat, exp, ...claims } = decodeJwt(session.accessJwt)
      const accessJwt = await new SignJWT(claims)
        .setProtectedHeader({ typ: 'at+jwt', alg: 'HS256' })
        .setIssuedAt()
        .setExpirationTime(`${seconds}s`)
        .sign(secret)
      return { ...session, accessJwt }
    }
  }
}

const require = createRequire(path.join(path.resolve(options.modules), 'package.json'))

function load(name) {
  return import(pathToFileURL(require.resolve(name)).href)
}

// What makes guessing passwords dear: 16 MB of memory for each, and 350 ms for each login.
function quickenLogins(accountManager) {
  const inLogin = new AsyncLocalStorage()
  const { scrypt } = crypto
  const { setTimeout } = globalThis
  crypto.scrypt = (password, salt, length, done) => scrypt(password, salt, length, { N: 2 }, done)
  globalThis.setTimeout = new Proxy(setTimeout, {
    apply: (_, self, [done, ms, ...rest]) =>
      Reflect.apply(setTimeout, self, [done, inLogin.getStore() ? 0 : ms, ...rest]),
  })
  const login = accountManager.login.bind(accountManager)
  accountManager.login = (...args) => inLogin.run(true, login, ...args)
}

async function startPds() {
  configure()
  const { PDS, envToCfg, envToSecrets, readEnv } = await load('@atproto/pds')
  const environment = readEnv()
  const pds = await PDS.create(envToCfg(environment), envToSecrets(environment))
  if (!options['slow-logins']) quickenLogins(pds.ctx.accountManager)
  if (options['access-ttl']) {
    await shortenAccessTokens(pds.ctx.accountManager, options['access-ttl'])
  }
  // By itself it would listen on every address.
  pds.app.listen = (port) => http.createServer(withFaults(pds.app)).listen(port, LOOPBACK)
  await pds.start()
  return pds
}

async function call(nsid, body, accessJwt) {
  const response = await fetch(`http://${LOOPBACK}:${state.port}/xrpc/${nsid}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: {
      'content-type': 'application/json',
      'x-ratelimit-bypass': 'bypass',
      ...(accessJwt && { authorization: `Bearer ${accessJwt}` }),
    },
  })
  if (!response.ok) throw new Error(`${nsid}: ${response.status} ${await response.text()}`)
  return response.json()
}

async function createAccount(handle) {
  const email = `${handle}@example.com`
  const account = { handle, email, password: PASSWORD }
  const { did, accessJwt } = await call('com.atproto.server.createAccount', account)
  const app = await call('com.atproto.server.createAppPassword', { name: 'test' }, accessJwt)
  return { handle, did, password: PASSWORD, appPassword: app.password }
}

// ---- the control port

const control = {
  '/stats': () => ({ requests, rss: process.memoryUsage().rss }),
  '/reset': async () => {
    requests = {}
    faults = []
    const dids = [...doctored.keys()]
    doctored.clear()
    for (const did of dids) await forgetDid(did)
    return {}
  },
  '/idle': async () => {
    await pds.ctx.backgroundQueue.processAll()
    return {}
  },
  '/faults': (list) => {
    faults = list.map((fault) => ({ match: '', skip: 0, times: 1, ...fault }))
    return {}
  },
  '/plc': async ({ did, ...answers }) => {
    doctored.set(did, answers)
    await forgetDid(did)
    return {}
  },
}

// The PDS remembers DID documents, and a login answers with one.
function forgetDid(did) {
  return pds.ctx.didCache.clearEntry(did)
}

async function controlPort(request, response) {
  const action = control[request.url]
  if (!action) return answer(response, 404, { message: `no such control: ${request.url}` })
  const text = await readText(request)
  return answer(response, 200, await action(text ? JSON.parse(text) : undefined))
}

// A mistake in a request of a test is answered, and doesn't end the server.
function guarded(handler) {
  return (request, response) =>
    handler(request, response).catch((error) => answer(response, 500, { message: String(error) }))
}

// ---- start, and stop

const plcServer = await listen(http.createServer(guarded(plcDirectory)), state.plcPort)
const pds = await startPds()
const controlServer = await listen(http.createServer(guarded(controlPort)), 0)

process.on('exit', () => {
  if (!options.data) fs.rmSync(folder, { recursive: true, force: true })
})
let stopping = false
async function stop() {
  if (stopping) return
  stopping = true
  setTimeout(() => process.exit(1), 5000).unref()
  controlServer.close()
  plcServer.close()
  await pds.destroy()
  process.exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
if (options['exit-with-stdin']) process.stdin.on('close', stop).resume()

for (const handle of options.accounts.split(',').filter(Boolean)) {
  if (state.accounts.some((account) => account.handle === handle)) continue
  state.accounts.push(await createAccount(handle))
}
save()
requests = {}

const ready = {
  url: `http://localhost:${state.port}`,
  plc: `http://localhost:${state.plcPort}`,
  control: `http://${LOOPBACK}:${controlServer.address().port}`,
  accounts: state.accounts,
}
process.stdout.write(`${JSON.stringify(ready)}\n`)
