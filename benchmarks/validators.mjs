// Times @atproto/lex (strict, as the PDS runs it) and @atproto/lexicon over files of JSON lines.
//
//     node validators.mjs MODULES LEXICON-FOLDER
//
// Reads "NAME FILE" lines, NAME one of lex, lexicon; answers one line of JSON each: seconds from
// bytes to verdict for the whole file, and how many records were valid. Reading and splitting the
// file isn't counted. Every issue that the validator can tell is asked for.

import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [modules, folder] = process.argv.slice(2)
const load = (name) =>
  import(pathToFileURL(createRequire(path.join(modules, 'x.js')).resolve(name)).href)
const [{ lexParseJsonBytes }, document, { Lexicons, jsonStringToLex }] = await Promise.all(
  ['@atproto/lex-json', '@atproto/lex-document', '@atproto/lexicon'].map(load),
)

const files = fs
  .readdirSync(folder, { recursive: true })
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')))
// The builder of @atproto/lex-document takes no ref without a fragment.
const whole = JSON.parse(JSON.stringify(files), (key, value) =>
  key === 'ref' && typeof value === 'string' && !value.includes('#') ? `${value}#main` : value,
)
const indexer = new document.LexiconIterableIndexer(
  whole.map((file) => document.lexiconDocumentSchema.parse(file)),
)
const schemas = await document.LexiconSchemaBuilder.buildAll(indexer)
const lexicons = new Lexicons(files)

// A fault counts as reported once its words are there.
function told(error) {
  if (!error.message) throw error
  return false
}

const VALIDATORS = {
  lex(bytes) {
    try {
      const record = lexParseJsonBytes(bytes, { strict: true })
      const { success, reason } = schemas.get(`${record.$type}#main`).safeValidate(record)
      return success || told(reason)
    } catch (error) {
      return told(error)
    }
  },
  lexicon(bytes) {
    try {
      const record = jsonStringToLex(bytes.toString('utf8'))
      const { success, error } = lexicons.validate(record.$type, record)
      return success || told(error)
    } catch (error) {
      return told(error)
    }
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name, file] = line.split(' ')
  const validate = VALIDATORS[name]
  const lines = fs.readFileSync(file, 'utf8').split('\n').map((line) => Buffer.from(line))
  let valid = 0
  const start = process.hrtime.bigint()
  for (const line of lines) valid += validate(line)
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  console.log(JSON.stringify({ seconds, valid }))
}
