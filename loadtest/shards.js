// Do the sharded services answer, how many answers come out of their caches, and do all shards have a part in it?
//
// Each scenario is one sharded service; it is left out, with a word about it, when nobody says where that is:
//
//   THESAURUS_URL         thesaurus, which caches in three memcached through memcacheshard
//   SHARDPROXY_URL        the sharding proxy before shards of HTTP caches, which are before the dictionary
//   SHARDPROXY_ADMIN_URL  its administration, to see at the end whether all shards were used
//   HIT_RATE              least share of hits once the caches are warm, 0.8 by default
//   RATE, DURATION        of each
//
//   THESAURUS_URL=http://$(cut -d' ' -f2 .flotilla/endpoints/thesaurus) loadtest/k6.sh shards.js
//
// and with Docker, where all are known: SCRIPT=shards.js docker compose --profile load run --rm k6
import http from 'k6/http';
import { check } from 'k6';
import { Rate } from 'k6/metrics';
import { arrivals, configure, hit, json, popular, words } from './lib/fleet.js';

const hits = { thesaurus: new Rate('thesaurus_hits'), shardproxy: new Rate('shardproxy_hits') };

const urls = {
  thesaurus: __ENV.THESAURUS_URL,
  shardproxy: __ENV.SHARDPROXY_URL,
};
const admin = (__ENV.SHARDPROXY_ADMIN_URL || '').replace(/\/+$/, '');

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
    for (let n = 0; n < all.length; n += 8) {
      http.batch(all.slice(n, n + 8));
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

/** A page comes from the one shard that has it. */
export function shardproxy() {
  const response = get(address('shardproxy', popular()), 'shardproxy');
  check(response, {
    'shardproxy: an answer about the word': (r) => (r.status === 200 || r.status === 404) && Object.keys(json(r)).length > 0,
  });
  if (response.status === 200) hits.shardproxy.add(hit(response));
}

/** No shard is left out. */
export function teardown() {
  if (!urls.shardproxy || !admin) return;
  const shards = json(http.get(`${admin}/v1/shards`, { tags: { name: 'shards' }, timeout: '10s' }));
  check(shards, {
    'shardproxy: every shard has had requests': (all) => Array.isArray(all) && all.length > 0 && all.every((s) => s.requests_total > 0),
  });
}
