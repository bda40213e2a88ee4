// Do the ambassadors serve who stands before them, and keep what they promise of each user?
//
// Each scenario is one ambassador, loaded through the application that uses it; it is left out, with a word about it,
// when nobody says where that is:
//
//   EXPERIMENT_URL   the splitting proxy before the dictionary
//   LOOKUPS_URL      lookups, which caches in Redis through redisshard
//   THESAURUS_URL    thesaurus, which caches in memcached through memcacheshard
//   GUESTBOOK_URL    guestbook, whose database broker finds
//   RATE, DURATION   of each
//
//   EXPERIMENT_URL=http://$(cut -d' ' -f2 .flotilla/endpoints/experiment) loadtest/k6.sh ambassadors.js
//
// and with Docker, where all are known: SCRIPT=ambassadors.js docker compose --profile load run --rm k6
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { arrivals, configure, json, popular } from './lib/fleet.js';

const flips = new Counter('experiment_flips');
const served = new Counter('experiment_served');

const urls = {
  experiment: __ENV.EXPERIMENT_URL,
  lookups: __ENV.LOOKUPS_URL,
  thesaurus: __ENV.THESAURUS_URL,
  guestbook: __ENV.GUESTBOOK_URL,
};

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
  // What the thesaurus does not have yet costs it up to 25 requests.
  thresholds[`http_req_duration{scenario:${name}}`] = [name === 'thesaurus' ? 'p(99)<2000' : 'p(99)<500'];
}
if (urls.experiment) thresholds.experiment_flips = ['count==0'];
if (Object.keys(scenarios).length === 0) {
  scenarios.nothing = { executor: 'shared-iterations', iterations: 1, exec: 'nothing' };
  delete thresholds.checks; // there is none
}

export const options = configure({ scenarios, thresholds });

http.setResponseCallback(http.expectedStatuses({ min: 200, max: 399 }, 404)); // not every word is in every book

export function setup() {
  for (const [name, url] of Object.entries(urls)) {
    if (!url) console.warn(`SKIPPED: ${name}: ${name.toUpperCase()}_URL is not set`);
  }
}

export function nothing() {
  console.warn('no ambassador was loaded');
}

function get(url, route, params) {
  return http.get(url, Object.assign({ tags: { name: route }, redirects: 0, timeout: '10s' }, params));
}

/** A new user's first request and the ones after it: all are served by one arm, unless production stands in. */
export function experiment() {
  const jar = http.cookieJar();
  jar.clear(urls.experiment);
  const first = get(`${urls.experiment}/v1/words/${popular()}`, 'experiment-first');
  const arm = first.headers['X-Experiment'] || '';
  const cookie = Object.values(first.cookies)[0];
  check(first, {
    'experiment: 200': (r) => r.status === 200,
    'experiment: says which arm': () => /^[a-z][a-z0-9-]*(;|$)/.test(arm),
    'experiment: a new cookie is for nobody else': (r) => !cookie || /private|no-store/.test(r.headers['Cache-Control'] || ''),
  });
  served.add(1, { arm: arm.replace(/;.*/, '') });
  const params = cookie ? { cookies: { [cookie[0].name]: cookie[0].value } } : {};
  for (let n = 0; n < 3; n++) {
    const again = get(`${urls.experiment}/v1/words/${popular()}`, 'experiment-again', params);
    check(again, { 'experiment: 200 again': (r) => r.status === 200 });
    const now = again.headers['X-Experiment'] || '';
    if (cookie && belongs(now) !== belongs(arm)) flips.add(1);
  }
}

/** The arm that a user belongs to, who may have been served by production in its stead. */
function belongs(field) {
  const instead = /;instead-of=([^;]+)/.exec(field);
  return instead ? instead[1] : field;
}

/** A word that is asked for often is in the cache; the answer is the same. */
export function lookups() {
  const response = get(`${urls.lookups}/v1/lookups/${popular()}`, 'lookups');
  check(response, { 'lookups: an answer about the word': (r) => (r.status === 200 || r.status === 404) && Object.keys(json(r)).length > 0 });
}

export function thesaurus() {
  const response = get(`${urls.thesaurus}/v1/related/${popular()}`, 'thesaurus');
  check(response, { 'thesaurus: an answer about the word': (r) => (r.status === 200 || r.status === 404) && Object.keys(json(r)).length > 0 });
}

/** One visitor in ten writes, all read. */
export function guestbook() {
  if (exec.scenario.iterationInTest % 10 === 0) {
    const body = JSON.stringify({ name: 'k6', message: `visit ${exec.scenario.iterationInTest}` });
    const written = http.post(`${urls.guestbook}/v1/entries`, body, {
      headers: { 'Content-Type': 'application/json' }, tags: { name: 'guestbook-write' }, redirects: 0, timeout: '10s',
    });
    check(written, { 'guestbook: written': (r) => r.status >= 200 && r.status < 300 });
  }
  const response = get(`${urls.guestbook}/v1/entries`, 'guestbook-read');
  check(response, { 'guestbook: read': (r) => r.status === 200 && r.body.length > 0 });
}
