// Repos made and verified by the reference implementation, @atproto/repo.
// node repos.mjs MODULES_FOLDER; a line of JSON in, a line of JSON out, CARs in base64.
//
//   {make: {curve, batches: [[[path, n or null], …], …], since, ask: [path, …]}}
//       A repo with a new key, a commit for each batch; null deletes. Answers did, cid, rev, car,
//       items [[path, cid], …]; `before`: the items after `since` of the batches, and what is new
//       since then as a CAR; `records`: [path, what getRecord would answer].
//   {verify: {car, did, key, claims: [[path, cid or null], …]}}
//       Answers cid, rev, items, blocks (how many there are), and how many claims hold.
//   {diff: {old, car, did, key}}   Answers what changed: [[action, path, cid], …].
//   {depths: [key, …]}             Answers the keys' layers.
//   {commit: {keys, adds, dels, value}}
//       A tree of these keys, all with the CID `value`, and what a commit makes of it. Answers the
//       roots `before` and `after`, as `car` the nodes that the firehose would carry, which prove
//       the keys that were touched and those beside them, and `paths`: the nodes on the way to each.
//
// What is refused is answered with {error}.
import path from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const folder = path.join(process.argv[2], 'node_modules', '@atproto')
const load = (name) => import(pathToFileURL(path.join(folder, name, 'dist', 'index.js')).href)
const repo = await load('repo')
const crypto = await load('crypto')
const data = await load('lex-data')

const KEYS = { k256: crypto.Secp256k1Keypair, p256: crypto.P256Keypair }
const base64 = (bytes) => Buffer.from(bytes).toString('base64')
const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'))
const split = (key) => ({ collection: key.split('/')[0], rkey: key.split('/')[1] })

function write(items, key, n) {
  const place = split(key)
  if (n === null) return { action: 'delete', ...place }
  const record = { $type: place.collection, n }
  return { action: items.has(key) ? 'update' : 'create', ...place, record }
}

async function itemsOf(held) {
  const leaves = await held.data.leaves()
  return leaves.map((leaf) => [leaf.key, `${leaf.value}`])
}

async function make({ curve, batches, since, ask }) {
  const key = await KEYS[curve].create()
  const storage = new repo.MemoryBlockstore()
  let held = await repo.Repo.create(storage, key.did(), key)
  let before = []
  let known = new Set()
  for (const [number, batch] of batches.entries()) {
    const items = new Map(await itemsOf(held))
    held = await held.applyWrites(batch.map(([place, n]) => write(items, place, n)), key)
    if (number + 1 === since) {
      before = await itemsOf(held)
      known = new Set(storage.blocks.cids().map(String))
    }
  }
  const fresh = new repo.BlockMap()
  storage.blocks.forEach((block, cid) => known.has(`${cid}`) || fresh.set(cid, block))
  const records = []
  for (const place of ask) {
    records.push([place, base64(await whole(repo.getRecords(storage, held.cid, [split(place)])))])
  }
  return {
    did: key.did(),
    cid: `${held.cid}`,
    rev: held.commit.rev,
    car: base64(await whole(repo.getFullRepo(storage, held.cid))),
    items: await itemsOf(held),
    before: { items: before, car: base64(await repo.blocksToCarFile(held.cid, fresh)) },
    records,
  }
}

async function whole(stream) {
  return repo.concatBytesAsync(stream)
}

async function verify({ car, did, key, claims }) {
  const { blocks } = await repo.readCarWithRoot(bytes(car))
  const { creates, commit } = await repo.verifyRepoCar(bytes(car), did, key)
  const wanted = claims.map(([place, cid]) => ({ ...split(place), cid: cid && data.parseCid(cid) }))
  const proofs = await repo.verifyProofs(bytes(car), wanted, did, key)
  const records = await repo.verifyRecords(bytes(car), did, key)
  return {
    cid: `${commit.cid}`,
    rev: commit.rev,
    items: creates.map(({ collection, rkey, cid }) => [`${collection}/${rkey}`, `${cid}`]),
    blocks: blocks.size,
    records: records.length,
    verified: proofs.verified.length,
  }
}

async function diff({ old, car, did, key }) {
  const { root, blocks } = await repo.readCarWithRoot(bytes(old))
  const held = await repo.Repo.load(new repo.MemoryBlockstore(blocks), root)
  const { writes } = await repo.verifyDiffCar(held, bytes(car), did, key)
  return writes.map((each) => [each.action, `${each.collection}/${each.rkey}`, `${each.cid}`])
}

async function depths(keys) {
  return Promise.all(keys.map((key) => repo.mstUtil.leadingZerosOnHash(key)))
}

async function commit({ keys, adds, dels, value }) {
  const leaf = data.parseCid(value)
  let tree = await repo.MST.create(new repo.MemoryBlockstore())
  for (const key of keys) tree = await tree.add(key, leaf)
  const before = await tree.getPointer()
  // Adds first: a tree that is empty in between keeps its old layer, under a root without keys.
  for (const key of adds) tree = await tree.add(key, leaf)
  for (const key of dels) tree = await tree.delete(key)
  const after = await tree.getPointer()
  const blocks = new repo.BlockMap()
  const paths = {}
  for (const key of [...adds, ...dels]) {
    blocks.addMap(await tree.getCoveringProof(key))
    paths[key] = (await tree.cidsForPath(key)).map(String).filter((cid) => cid !== value)
  }
  const car = base64(await repo.blocksToCarFile(after, blocks))
  return { before: `${before}`, after: `${after}`, car, paths }
}

const ANSWERS = { make, verify, diff, depths, commit }
for await (const line of createInterface({ input: process.stdin })) {
  const [name, question] = Object.entries(JSON.parse(line))[0]
  let answer
  try {
    answer = await ANSWERS[name](question)
  } catch (error) {
    answer = { error: `${error}` }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
