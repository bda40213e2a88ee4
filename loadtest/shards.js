// Do the sharded services answer, how many answers come out of their caches, and do all shards have a part in it?
//
// Each scenario is one sharded service; it is left out, with a word about it, when nobody says where that is:
//
//   THESAURUS_URL    thesaurus, which caches in three memcached through memcacheshard
//   SHARDPROXY_URL   the sharding proxy before shards of HTTP caches, which are before the dictionary
//   SHARDS           names of these shards as X-Shard tells them: cacheshard-a,cacheshard-b,cacheshard-c
//   HIT_RATE         least share of hits once the caches are warm, 0.8 by default
//   RATE, DURATION   of each
//
//   THESAURUS_URL=http://$(cut -d' ' -f2 .flotilla/endpoints/thesaurus) \
//     SHARDPROXY_URL=http://$(cut -d' ' -f2 .flotilla/endpoints/shardproxy) loadtest/k6.sh shards.js
//
// and with Docker, where all are known: SCRIPT=shards.js docker compose --profile load run --rm k6
import http from 'k6/http';
import { check } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import { arrivals, configure, hit, json, popular, words } from './lib/fleet.js';

const hits = { thesaurus: new Rate('thesaurus_hits'), shardproxy: new Rate('shardproxy_hits') };

const urls = {
  thesaurus: __ENV.THESAURUS_URL,
  shardproxy: __ENV.SHARDPROXY_URL,
};
const served = new Counter('shardproxy_served');
const shards = (__ENV.SHARDS || 'cacheshard-a,cacheshard-b,cacheshard-c').split(',');

const scenarios = {};
const thresholds = {
  checks: ['rate==1'],
  http_req_failed: ['rate==0'],
  dropped_iterations: ['count==0'],
};
for (const [name, url] of Object.entries(urls)) {
  if (!url) continue;
  urls[name] = url.replace(/\/+$/, '');
  scenarios[name] = arrivals(20, '10s', { exec: name, preAllocatedVUs: 20, maxVUs: 200 });
  // What is in no shard costs the thesaurus up to 25 requests.
  thresholds[`http_req_duration{scenario:${name}}`] = [name === 'thesaurus' ? 'p(99)<2000' : 'p(99)<500'];
  thresholds[`${name}_hits`] = [`rate>=${Number(__ENV.HIT_RATE || 0.8)}`];
}
if (urls.shardproxy) {
  for (const name of shards) thresholds[`shardproxy_served{shard:${name}}`] = ['count>0']; // no shard is left out
}
if (Object.keys(scenarios).length === 0) {
  scenarios.nothing = { executor: 'shared-iterations', iterations: 1, exec: 'nothing' };
  delete thresholds.checks; // there is none
}

export const options = configure({ scenarios, thresholds });

http.setResponseCallback(http.expectedStatuses({ min: 200, max: 399 }, 404)); // not every word is in every book

function get(url, route) {
  return http.get(url, { tags: { name: route }, redirects: 0, timeout: '10s' });
}

/** Every word once, so that what is measured are caches that have something. */
export function setup() {
  for (const [name, url] of Object.entries(urls)) {
    if (!url) {
      console.warn(`SKIPPED: ${name}: ${name.toUpperCase()}_URL is not set`);
      continue;
    }
    const all = words.map((word) => ['GET', address(name, word), null, { tags: { name: `${name}-warm` }, redirects: 0, timeout: '10s' }]);
    const rounds = name === 'shardproxy' ? 3 : 1; // each replica of a shard remembers by itself
    for (let n = 0; n < rounds * all.length; n += 8) {
      http.batch(all.slice(n % all.length, (n % all.length) + 8));
    }
  }
}

export function nothing() {
  console.warn('no sharded service was loaded');
}

function address(name, word) {
  return name === 'thesaurus' ? `${urls.thesaurus}/v1/related/${word}` : `${urls.shardproxy}/v1/words/${word}`;
}

/** A related word costs the dictionary nothing while the shard that has it is there. */
export function thesaurus() {
  const response = get(address('thesaurus', popular()), 'thesaurus');
  const answer = json(response);
  check(response, {
    'thesaurus: an answer about the word': (r) => (r.status === 200 || r.status === 404) && Object.keys(answer).length > 0,
    'thesaurus: every shard answers': () => answer.cache !== 'unavailable',
  });
  if (response.status === 200) hits.thesaurus.add(answer.cache === 'hit');
}

const places = {}; // of each word, as this virtual user has seen it

/** A page comes from the one shard that has it, again and again. */
export function shardproxy() {
  const word = popular();
  const response = get(address('shardproxy', word), 'shardproxy');
  const shard = response.headers['X-Shard'] || '';
  places[word] = places[word] || shard;
  check(response, {
    'shardproxy: an answer about the word': (r) => (r.status === 200 || r.status === 404) && Object.keys(json(r)).length > 0,
    'shardproxy: a word stays in its shard': () => shards.includes(shard) && places[word] === shard,
  });
  served.add(1, { shard });
  if (response.status === 200) hits.shardproxy.add(hit(response));
}
