// Hold a SARIF log against the schema that @microsoft/jest-sarif carries.
// node check_sarif.mjs MODULES_FOLDER < log.sarif; prints one line of JSON: the list of faults.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const home = path.join(process.argv[2], 'node_modules', '@microsoft', 'jest-sarif')
const require = createRequire(path.join(home, 'package.json'))
const Ajv = require('ajv')
const schema = require('./lib/schemas/sarif-2.1.0-rtm.5.json')

const ajv = new Ajv({ allErrors: true, schemaId: 'auto', meta: false, format: 'full' })
ajv.addMetaSchema(require('ajv/lib/refs/json-schema-draft-04.json'))
ajv.addMetaSchema(require('ajv/lib/refs/json-schema-draft-07.json'))
const valid = ajv.compile(schema)
valid(JSON.parse(readFileSync(0, 'utf8')))
console.log(JSON.stringify((valid.errors ?? []).map((e) => `${e.dataPath} ${e.message}`)))
