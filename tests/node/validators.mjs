// The validators of npm in one long-lived process: node validators.mjs MODULES_FOLDER
//
// Each line of standard input is a question in JSON, each line of standard output its answer:
//   {"published": true}             -> {"documents": [...]}, the lexicons inside the PDS
//   {"lexicons": [document, ...]}   -> {"ready": true}; what records are held against from now on
//   {"records": [[nsid, rkey, text], ...]}, {"formats": [[format, text], ...]},
//   {"documents": [text, ...]}      -> {peer: [verdict, ...]}, one verdict for each input
// A verdict is null where the peer accepts, else its first words. They begin with `parse: ` where
// its JSON reader refuses, `unbuilt: ` where it can't work with the lexicon, and `crashed: ` where
// it throws what is no verdict. `unasked` is the PDS on records of lexicons that it doesn't carry.
import path from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const modules = path.join(process.argv[2], 'node_modules')
const load = (file) => import(pathToFileURL(path.join(modules, file)).href)

const { walk } = await load('@atproto/lex/dist/index.js')
const { LexiconSchemaBuilder, lexiconDocumentSchema } = await load(
  '@atproto/lex-document/dist/index.js',
)
const { jsonToLex } = await load('@atproto/lex-json/dist/index.js')
const { isStringFormat, l } = await load('@atproto/lex-schema/dist/index.js')
const { Lexicons, ValidationError, jsonStringToLex, parseLexiconDoc } = await load(
  '@atproto/lexicon/dist/index.js',
)
const published = await load('@atproto/pds/dist/lexicons/index.js')
const { prepareCreate } = await load('@atproto/pds/dist/repo/prepare.js')
const { InvalidRecordError } = await load('@atproto/pds/dist/repo/types.js')
const syntax = await load('@atcute/lexicons/dist/syntax/index.js')
const atcute = await load('@atcute/lexicon-doc/dist/index.js')
const { RecordValidator } = await load('@atcute/lexicon-doc/dist/validations.js')
const valibot = await load('valibot/dist/index.mjs')

const words = (error) => String(error?.message ?? error).slice(0, 300)

class Unbuilt extends Error {}

function verdict(read, judge) {
  let value
  try {
    value = read()
  } catch (error) {
    return `parse: ${words(error)}`
  }
  try {
    return judge(value) ?? null
  } catch (error) {
    return thrown(error)
  }
}

function thrown(error) {
  if (error instanceof Unbuilt) return `unbuilt: ${error.message}`
  // What @atproto/lexicon says of a definition that it has no check for.
  if (error.message?.startsWith('Unexpected lexicon type: ')) return `unbuilt: ${error.message}`
  if (error.issues) return `${error.issues[0].path.join('/')}: ${error.issues[0].message}`
  const judged = [ValidationError, InvalidRecordError]
  return judged.some((kind) => error instanceof kind) ? words(error) : `crashed: ${words(error)}`
}

// Lexicons of the PDS, which carries them as code only, written as documents again.

function documents() {
  const found = {}
  for (const [name, schema] of named(published)) {
    const [nsid, def] = name.split('#')
    const written = definition(schema)
    if (!written) continue
    found[nsid] ??= { lexicon: 1, id: nsid, defs: {} }
    found[nsid].defs[def] = written
  }
  return Object.values(found)
}

const names = new Map(named(published).map(([name, schema]) => [schema, name]))

function named(namespace, steps = []) {
  return Object.entries(namespace).flatMap(([key, value]) => {
    if (key.startsWith('$') || key === 'default' || typeof value !== 'object') return []
    if (value instanceof l.Schema) return [[`${steps.join('.')}#${key}`, value]]
    return Object.getPrototypeOf(value) === null ? named(value, [...steps, key]) : []
  })
}

function definition(schema) {
  if (schema instanceof l.RecordSchema)
    return { type: 'record', key: schema.key, record: definition(schema.schema) }
  if (schema instanceof l.TypedObjectSchema) return definition(schema.schema)
  if (schema instanceof l.ObjectSchema) return object(schema.shape)
  if (schema instanceof l.WithDefaultSchema)
    return { ...definition(schema.validator), default: schema.defaultValue }
  if (schema instanceof l.ArraySchema)
    return { type: 'array', items: definition(schema.validator), ...schema.options }
  if (schema instanceof l.StringSchema) return { type: 'string', ...schema.options }
  if (schema instanceof l.EnumSchema)
    return { type: kind(schema.values[0]), enum: [...schema.values] }
  if (schema instanceof l.LiteralSchema) return { type: kind(schema.value), const: schema.value }
  if (schema instanceof l.IntegerSchema) return { type: 'integer', ...schema.options }
  if (schema instanceof l.BlobSchema) return { type: 'blob', ...schema.options }
  if (schema instanceof l.BytesSchema) return { type: 'bytes', ...schema.options }
  if (schema instanceof l.RefSchema) return { type: 'ref', ref: names.get(schema.validator) }
  if (schema instanceof l.TypedUnionSchema)
    return {
      type: 'union',
      refs: schema.validators.map(({ validator }) => names.get(validator)),
      closed: schema.closed,
    }
  return plain(schema)
}

function plain(schema) {
  if (schema instanceof l.BooleanSchema) return { type: 'boolean' }
  if (schema instanceof l.CidSchema) return { type: 'cid-link' }
  if (schema instanceof l.LexMapSchema) return { type: 'unknown' }
  if (schema instanceof l.TokenSchema) return { type: 'token' }
  return undefined
}

const kind = (value) => (typeof value === 'number' ? 'integer' : typeof value)

function object(shape) {
  const properties = {}
  const required = []
  const nullable = []
  for (const [name, given] of Object.entries(shape)) {
    let schema = given
    if (schema instanceof l.OptionalSchema) schema = schema.validator
    else required.push(name)
    if (schema instanceof l.NullableSchema) {
      nullable.push(name)
      schema = schema.validator
    }
    properties[name] = definition(schema)
  }
  return { type: 'object', required, nullable, properties }
}

// What records are held against.

const knownToThePds = new Map(
  [...walk(published)].filter((s) => s instanceof l.RecordSchema).map((s) => [s.$type, s]),
)
let current

async function use(lexicons) {
  const byNsid = Object.fromEntries(lexicons.map((document) => [document.id, document]))
  current = { records: new Map(), byNsid, lexicons: new Lexicons(structuredClone(lexicons)) }
  for (const { id, defs } of lexicons)
    if (defs.main?.type === 'record') current.records.set(id, await builders(id, byNsid))
}

// The builder wants every reference with its fragment; as generated code has them.
const withFragments = (document) =>
  JSON.parse(JSON.stringify(document), (key, value) => {
    const full = (ref) => (ref.includes('#') ? ref : `${ref}#main`)
    if (value?.type === 'ref') return { ...value, ref: full(value.ref) }
    if (value?.type === 'union') return { ...value, refs: value.refs.map(full) }
    return value
  })

async function builders(nsid, byNsid) {
  const indexer = { get: async (name) => withFragments(byNsid[name] ?? absent(name)) }
  const lex = await LexiconSchemaBuilder.build(indexer, `${nsid}#main`).then(
    (schema) => () => schema,
    (error) => () => unbuilt(error),
  )
  return { lex, atcute: once(() => new RecordValidator(byNsid, nsid)) }
}

function absent(name) {
  throw new Error(`no lexicon ${name}`)
}

function unbuilt(error) {
  throw new Unbuilt(words(error))
}

function once(make) {
  let made
  return () => {
    try {
      return (made ??= make())
    } catch (error) {
      return unbuilt(error)
    }
  }
}

const refusal = (result) => (result.success ? null : words(result.reason))

const recordPeers = {
  'lex strict': (nsid, rkey, text) =>
    verdict(
      () => jsonToLex(JSON.parse(text), { strict: true }),
      (value) => {
        const schema = current.records.get(nsid).lex()
        return refusal(schema.keySchema.safeValidate(rkey)) ?? refusal(schema.safeValidate(value))
      },
    ),
  lex: (nsid, rkey, text) =>
    verdict(
      () => jsonToLex(JSON.parse(text)),
      (value) => refusal(current.records.get(nsid).lex().safeValidate(value, { strict: false })),
    ),
  lexicon: (nsid, rkey, text) =>
    verdict(
      () => jsonStringToLex(text),
      (value) => void current.lexicons.assertValidRecord(nsid, value),
    ),
  atcute: (nsid, rkey, text) =>
    verdict(
      () => JSON.parse(text),
      (object) => {
        const result = current.records.get(nsid).atcute().try({ key: rkey, object }, { strict: true })
        return result.ok ? null : words(result)
      },
    ),
}

// What com.atproto.repo.createRecord does from the body to the block, for what the PDS knows.
async function pds(nsid, rkey, text) {
  if (!knownToThePds.has(nsid)) return 'unasked'
  let record
  try {
    record = l.lexMap().parse(jsonToLex(JSON.parse(text)))
  } catch (error) {
    return `parse: ${words(error)}`
  }
  try {
    await prepareCreate({ did: 'did:web:a.example', collection: nsid, rkey, record })
    return null
  } catch (error) {
    return thrown(error)
  }
}

const acceptable = {
  'at-identifier': syntax.isActorIdentifier,
  'at-uri': syntax.isResourceUri,
  cid: syntax.isCid,
  datetime: syntax.isDatetime,
  did: syntax.isDid,
  handle: syntax.isHandle,
  language: syntax.isLanguageCode,
  nsid: syntax.isNsid,
  'record-key': syntax.isRecordKey,
  tid: syntax.isTid,
  uri: syntax.isGenericUri,
}
const oneString = (format) => ({
  lexicon: 1,
  id: `a.b.${format.replace('-', '')}`,
  defs: {
    main: {
      type: 'object',
      required: ['text'],
      properties: { text: { type: 'string', format } },
    },
  },
})
const byFormat = new Lexicons(Object.keys(acceptable).map(oneString))
const accepts = (answer) => (answer ? null : 'refused')

const formatPeers = {
  'lex strict': (format, text) => accepts(isStringFormat(text, format)),
  lex: (format, text) => accepts(isStringFormat(text, format, { strict: false })),
  lexicon: (format, text) => {
    const result = byFormat.validate(oneString(format).id, { text })
    return result.success ? null : words(result.error)
  },
  atcute: (format, text) => accepts(acceptable[format](text)),
}

const documentPeers = {
  'lex-document': (text) =>
    verdict(
      () => JSON.parse(text),
      (document) => refusal(lexiconDocumentSchema.safeValidate(document)),
    ),
  lexicon: (text) =>
    verdict(
      () => JSON.parse(text),
      (document) => void parseLexiconDoc(document),
    ),
  atcute: (text) =>
    verdict(
      () => JSON.parse(text),
      (document) => {
        const parsed = valibot.safeParse(atcute.lexiconDoc, document)
        if (!parsed.success) return words(parsed.issues[0])
        const [issue] = atcute.refineLexiconDoc(document, true)
        return issue && `${issue.path.join('/')}: ${issue.message}`
      },
    ),
}

function columns(peers, inputs) {
  const judged = Object.entries(peers).map(([peer, judge]) => [
    peer,
    inputs.map((input) => judge(...[input].flat())),
  ])
  return Object.fromEntries(judged)
}

async function answer(question) {
  if (question.published) return { documents: documents() }
  if (question.formats) return columns(formatPeers, question.formats)
  if (question.documents) return columns(documentPeers, question.documents)
  if (question.records) {
    const all = await Promise.all(question.records.map((input) => pds(...input)))
    return { ...columns(recordPeers, question.records), pds: all }
  }
  await use(question.lexicons)
  return { ready: true }
}

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`)
