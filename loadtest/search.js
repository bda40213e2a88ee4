// Does document search answer whole, fast, and with what it was asked for, also for who has just written?
//
// Scenarios, each left out with a word about it when what it needs is not there:
//
//   SEARCH_URL       the root whose leaves have a part of the documents each
//   TERMS_URL        the root whose leaves have all documents, and are asked for a word each
//   WRITES           writes per second to SEARCH_URL, each of them read at once and deleted; 2 by default, 0 for none
//   RATE, DURATION   of each
//
//   SEARCH_URL=http://$(cut -d' ' -f2 .flotilla/endpoints/search) loadtest/k6.sh search.js
//
// and with Docker, where all are known: SCRIPT=search.js docker compose --profile load run --rm k6
import http from 'k6/http';
import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate } from 'k6/metrics';
import { arrivals, configure, json, popular } from './lib/fleet.js';

const urls = { search: __ENV.SEARCH_URL, terms: __ENV.TERMS_URL };
const writes = Number(__ENV.WRITES || 2);

const whole = new Rate('search_whole'); // answers of all shards
const hedged = new Counter('search_hedged'); // shards that were asked a second time, because the first one was late

const scenarios = {};
const thresholds = {
  checks: ['rate==1'],
  http_req_failed: ['rate==0'],
  dropped_iterations: ['count==0'],
};
for (const [name, url] of Object.entries(urls)) {
  if (!url) continue;
  urls[name] = url.replace(/\/+$/, '');
  // As many users as come in four seconds: to make another one takes time, in which arrivals are dropped.
  scenarios[name] = arrivals(20, '10s', { exec: name, preAllocatedVUs: 4 * Number(__ENV.RATE || 20), maxVUs: 1000 });
  thresholds[`http_req_duration{scenario:${name}}`] = ['p(99)<500'];
}
if (urls.search) {
  thresholds.search_whole = ['rate==1'];
  if (writes > 0) {
    scenarios.writes = arrivals(20, '10s', { exec: 'write', rate: writes, preAllocatedVUs: 10, maxVUs: 100 });
    thresholds['http_req_duration{scenario:writes}'] = ['p(99)<2000'];
  }
}
if (Object.keys(scenarios).length === 0) {
  scenarios.nothing = { executor: 'shared-iterations', iterations: 1, exec: 'nothing' };
  delete thresholds.checks; // there is none
}

export const options = configure({ scenarios, thresholds });

export function setup() {
  for (const [name, url] of Object.entries(urls)) {
    if (!url) console.warn(`SKIPPED: ${name}: ${name.toUpperCase()}_URL is not set`);
  }
}

export function nothing() {
  console.warn('no search was loaded');
}

function ask(url, parameters, route) {
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  return http.get(`${url}/v1/search?${query}`, { tags: { name: route }, timeout: '10s' });
}

/** Two words, as users choose them, in one of the ways in which users ask. */
const ways = [
  (a, b) => ({ q: a }),
  (a, b) => ({ q: `${a} ${b}` }),
  (a, b) => ({ q: `${a} ${b}`, operator: 'and' }),
  (a, b) => ({ q: `title:${a} NOT ${b}` }),
  (a, b) => ({ q: `${a.slice(0, 4)}*`, facets: 'pos' }),
  (a, b) => ({ q: `${a}~1` }),
  (a, b) => ({ q: `"${a} ${b}" OR ${a} OR ${b}`, facets: 'pos', limit: '20' }),
];

/** A word of the list that is one for a query. */
function word() {
  for (;;) {
    const one = popular();
    if (/^[a-z]{5,}$/.test(one) && !['their', 'there', 'these'].includes(one)) return one; // and too common ones are not indexed
  }
}

function sorted(hits) {
  return hits.every((hit, i) => i === 0 || hits[i - 1].score > hit.score || (hits[i - 1].score === hit.score && hits[i - 1].id < hit.id));
}

export function search() {
  const way = ways[exec.scenario.iterationInTest % ways.length];
  const parameters = way(word(), word());
  const response = ask(urls.search, parameters, 'search');
  const answer = json(response);
  const harvest = answer.harvest || {};
  const hits = answer.hits || [];
  check(response, {
    'search: an answer': (r) => r.status === 200,
    'search: the best first, and ids decide': () => sorted(hits),
    'search: no more hits than there are, or were asked for': () => hits.length <= Math.min(answer.total, Number(parameters.limit || 10)),
    'search: facets when they were asked for': () => !parameters.facets || (answer.facets && 'pos' in answer.facets),
  });
  whole.add(harvest.shards > 0 && harvest.answered === harvest.shards && harvest.documents === 1);
  hedged.add(answer.hedged || 0);
}

/** Each word is asked of another leaf, and the root puts together what they have. */
export function terms() {
  const [a, b] = [word(), word()];
  const both = exec.scenario.iterationInTest % 2 === 0;
  const response = ask(urls.terms, { q: `${a} ${both ? 'AND' : 'OR'} ${b}` }, 'terms');
  check(response, {
    'terms: an answer': (r) => r.status === 200,
    'terms: the best first, and ids decide': () => sorted(json(response).hits || []),
  });
}

/** Who has written reads it at once, and who has deleted finds nothing. */
export function write() {
  const id = `k6-${exec.vu.idInTest}-${exec.scenario.iterationInTest}-${Date.now()}`;
  const text = `k6word${Date.now()}x${exec.vu.idInTest}`;
  const url = `${urls.search}/v1/documents/${id}`;
  const params = { tags: { name: 'write' }, headers: { 'Content-Type': 'application/json' }, timeout: '10s' };
  const written = http.put(url, JSON.stringify({ id, title: 'Written by a load', text, labels: { pos: 'load' } }), params);
  const found = json(ask(urls.search, { q: text, min_epochs: epochs(written), require: 'all' }, 'read-your-write'));
  const deleted = http.del(url, null, params);
  const gone = json(ask(urls.search, { q: text, min_epochs: epochs(deleted), require: 'all' }, 'read-your-write'));
  check(written, {
    'writes: the log has it': (r) => r.status === 200 && deleted.status === 200,
    'writes: who wrote it finds it': () => found.total === 1 && found.hits[0].id === id,
    'writes: who deleted it does not': () => gone.total === 0,
  });
}

function epochs(response) {
  const answer = json(response);
  return answer.epochs ? Object.entries(answer.epochs).map((pair) => pair.join(':')).join(',') : `${answer.shard}:${answer.offset + 1}`;
}
