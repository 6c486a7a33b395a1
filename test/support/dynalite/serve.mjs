// SPDX-License-Identifier: Apache-2.0
// dynalite with what it lacks: it checks signatures (by code of its own, not
// ours), counts requests by their operation, has a clock that can be wrong, and
// fails as it is told.
//
//   node serve.mjs NODE_MODULES [CERTIFICATE KEY]
//
// speaks TLS if it is given a certificate,
// prints its port, and ends when its standard input does. POST /control sets
// members of `rules` and clears the counts, GET /control answers the counts.
import { createRequire } from 'node:module'
import crypto from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'

const require = createRequire(process.argv[2] + '/')
const dynalite = require('dynalite')

const SECRETS = {
  AKIDEXAMPLE: { secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  ASIATOKEN: { secret: 'session/secret', token: 'session+token==' },
}

// skew_ms: how far the service's clock is off. brings_item: a failed condition
// brings the item, as the real service's does and dynalite's does not. faults:
// [{target, times, status, type, message, cut}]; cut: the operation is done and
// the connection is cut instead of an answer.
let rules = { skew_ms: 0, brings_item: false, expired: [], faults: [] }
let counts = {}

const [, , , cert, key] = process.argv
const tls = cert ? { ssl: true, cert: fs.readFileSync(cert), key: fs.readFileSync(key) } : {}
const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0, ...tls })
const handler = server.listeners('request')[0]
server.removeAllListeners('request')
process.on('uncaughtException', () => {}) // dynalite throws when a peer leaves

const now = () => Date.now() + rules.skew_ms

function refuse(response, status, type, message) {
  const body = JSON.stringify({ __type: 'com.amazonaws.dynamodb.v20120810#' + type, message })
  response.writeHead(status, { 'Content-Type': 'application/x-amz-json-1.0',
    'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

const hash = (text) => crypto.createHash('sha256').update(text).digest('hex')
const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest()

function expected(request, body, credential, signed, secret) {
  const [, day, region, service] = credential
  const headers = signed.map((name) => `${name}:${request.headers[name]}\n`).join('')
  const canonical = [request.method, request.url, '', headers, signed.join(';'), hash(body)].join('\n')
  const date = request.headers['x-amz-date']
  const text = ['AWS4-HMAC-SHA256', date, `${day}/${region}/${service}/aws4_request`, hash(canonical)].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce(hmac, 'AWS4' + secret)
  return crypto.createHmac('sha256', key).update(text).digest('hex')
}

function momentOf(date) {
  const [, y, m, d, h, min, s] = date.match(/^(....)(..)(..)T(..)(..)(..)Z$/)
  return Date.UTC(y, m - 1, d, h, min, s)
}

// What is wrong with who asks, or nothing: [type, message].
function wrong(request, body) {
  const found = (request.headers.authorization ?? '').match(
    /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/)
  if (!found) return ['MissingAuthenticationTokenException', 'Request is missing Authentication Token']
  const credential = found[1].split('/')
  const known = SECRETS[credential[0]]
  if (!known || known.token !== request.headers['x-amz-security-token']) {
    return ['UnrecognizedClientException', 'The security token included in the request is invalid.']
  }
  if (rules.expired.includes(credential[0])) {
    return ['ExpiredTokenException', 'The security token included in the request is expired']
  }
  const off = momentOf(request.headers['x-amz-date']) - now()
  if (Math.abs(off) > 300000) {
    return ['InvalidSignatureException', off < 0 ? 'Signature expired: too old' : 'Signature not yet current: too new']
  }
  const signed = found[2].split(';')
  const fine = ['host', 'x-amz-date', 'x-amz-target'].every((name) => signed.includes(name)) &&
    (!known.token || signed.includes('x-amz-security-token'))
  if (!fine || expected(request, body, credential, signed, known.secret) !== found[3]) {
    return ['InvalidSignatureException', 'The request signature we calculated does not match']
  }
}

function nextFault(target) {
  const fault = rules.faults.find((f) => f.times > 0 && (!f.target || f.target === target))
  if (fault) fault.times--
  return fault
}

// The same question, put to dynalite by ourselves.
function ask(target, body) {
  return new Promise((resolve) => {
    const request = http.request({ port: server.address().port, method: 'POST', headers: {
      'x-inner': '1', 'content-type': 'application/x-amz-json-1.0', 'x-amz-date': '20260101T000000Z',
      'x-amz-target': 'DynamoDB_20120810.' + target, authorization:
      'AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=x',
    } }, (response) => {
      let text = ''
      response.on('data', (piece) => { text += piece })
      response.on('end', () => resolve(JSON.parse(text)))
    })
    request.end(JSON.stringify(body))
  })
}

// A failed condition brings the item as it was.
function bringItem(response, body) {
  const end = response.end.bind(response)
  const question = JSON.parse(body)
  response.end = (text) => {
    if (!String(text).includes('ConditionalCheckFailed')) return end(text)
    ask('GetItem', { TableName: question.TableName, Key: question.Key, ConsistentRead: true }).then(({ Item }) => {
      const whole = JSON.stringify({ ...JSON.parse(text), ...(Item && { Item }) })
      response.removeHeader('x-amz-crc32')
      response.setHeader('Content-Length', Buffer.byteLength(whole))
      end(whole)
    })
  }
}

function serve(request, response, body) {
  const target = (request.headers['x-amz-target'] ?? '').split('.')[1]
  response.sendDate = false
  response.setHeader('Date', new Date(now()).toUTCString())
  if (!request.headers['x-inner']) {
    counts[target] = (counts[target] ?? 0) + 1
    const complaint = wrong(request, body)
    if (complaint) return refuse(response, 400, ...complaint)
    const fault = nextFault(target)
    if (fault?.cut) response.end = () => request.socket.destroy()
    else if (fault) return refuse(response, fault.status ?? 400, fault.type, fault.message ?? 'as told')
    if (rules.brings_item) bringItem(response, body)
  }
  handler(request, response)
  request.emit('data', body)
  request.emit('end')
}

function control(request, response, body) {
  if (request.method === 'POST') {
    rules = { ...rules, ...JSON.parse(body) }
    counts = {}
  }
  response.end(JSON.stringify(counts))
}

server.on('request', (request, response) => {
  const pieces = []
  request.on('error', () => {})
  request.on('data', (piece) => pieces.push(piece))
  request.once('end', () => {
    request.removeAllListeners('data')
    const body = Buffer.concat(pieces)
    if (request.url === '/control') control(request, response, body)
    else serve(request, response, body)
  })
})
server.keepAliveTimeout = 60000
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.on('end', () => process.exit(0)).resume()
