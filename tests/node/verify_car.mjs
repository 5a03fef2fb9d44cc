// Verify a repo's CAR with the reference implementation, @atproto/repo.
// node verify_car.mjs MODULES_FOLDER DID DID_KEY < repo.car; prints one line of JSON.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [modules, did, key] = process.argv.slice(2)
const file = path.join(modules, 'node_modules', '@atproto', 'repo', 'dist', 'index.js')
const { readCarWithRoot, verifyRepo } = await import(pathToFileURL(file).href)

const { root, blocks } = await readCarWithRoot(new Uint8Array(readFileSync(0)))
const { creates, commit } = await verifyRepo(blocks, root, did, key)
const records = creates.map(({ collection, rkey, cid }) => [`${collection}/${rkey}`, `${cid}`])
console.log(JSON.stringify({ cid: `${commit.cid}`, rev: commit.rev, records }))
