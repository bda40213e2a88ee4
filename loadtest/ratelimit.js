// When one client floods, who is told to wait, and do the others notice?
//
// A flood from one address, and beside it polite users. Polite users must get their
// answers; the flood must get 429 with everything that a well-behaved program needs to
// do better: Retry-After, RateLimit fields, X-RateLimit-*. Without --local-ips all come
// from one address and the users share the flood's fate: then only the form of the
// refusals is checked. The fleet's own limits are above all load, so start it with small
// ones first:
//
//   go run ./infra/local up --set cache.CACHE_POLICY_FILE=$PWD/loadtest/limits.yaml
//   RATE=2000 loadtest/k6.sh ratelimit.js
//   USERS=on loadtest/k6.sh ratelimit.js --local-ips=127.0.0.11-127.0.0.99
//
// and with Docker:
//
//   FLOTILLA_CACHE_POLICY=./loadtest/limits.yaml docker compose up --wait
//   FLOTILLA_CACHE_POLICY=./loadtest/limits.yaml SCRIPT=ratelimit.js docker compose --profile load run --rm k6
import http from 'k6/http';
import { check } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import { arrivals, base, configure, get } from './lib/fleet.js';

http.setResponseCallback(http.expectedStatuses({ min: 200, max: 399 }, 429));

const allowed = new Counter('flood_allowed');
const refused = new Counter('flood_refused');
const served = new Rate('users_served');

const separate = __ENV.USERS === 'on';
const scenarios = {
  // One virtual user has one address: k6 gives each its own of --local-ips. A single
  // one asks as fast as it gets answers, many at a time.
  flood: separate
    ? { executor: 'constant-vus', vus: 1, duration: __ENV.DURATION || '15s', exec: 'burst' }
    : arrivals(2000, '15s', { exec: 'flood', preAllocatedVUs: 200, maxVUs: 1000 }),
};
const thresholds = {
  checks: ['rate==1'],
  http_req_failed: ['rate==0'],
  flood_refused: ['count>0'],
};
if (separate) {
  scenarios.users = {
    executor: 'constant-arrival-rate', rate: 50, timeUnit: '1s', duration: __ENV.DURATION || '15s', exec: 'user',
    preAllocatedVUs: 80, maxVUs: 80,
  };
  thresholds.users_served = ['rate==1'];
  thresholds['http_req_duration{scenario:users}'] = ['p(99)<500'];
}
export const options = configure({ scenarios, thresholds });

export function flood() {
  judge(get('/v1/words/dog', 'flood', { headers: { Accept: 'application/json' } }));
}

/** Forty at a time over the connections of one virtual user. */
export function burst() {
  const request = ['GET', `${base}/v1/words/dog`, null, { tags: { name: 'flood' } }];
  http.batch(Array(40).fill(request)).forEach(judge);
}

function judge(response) {
  if (response.status !== 429) {
    allowed.add(1);
    check(response, { 'flood: answered or told to wait': (r) => r.status === 200 });
    return;
  }
  refused.add(1);
  check(response, {
    'refused: Retry-After': (r) => /^\d+$/.test(r.headers['Retry-After'] || ''),
    'refused: X-RateLimit-*': (r) => ['X-Ratelimit-Limit', 'X-Ratelimit-Remaining', 'X-Ratelimit-Reset'].every((h) => h in r.headers),
    'refused: RateLimit fields': (r) => 'Ratelimit' in r.headers && 'Ratelimit-Policy' in r.headers,
    'refused: problem document': (r) => (r.headers['Content-Type'] || '').includes('problem+json'),
  });
}

export function user() {
  const response = get('/v1/words/cat', 'user', { headers: { Accept: 'application/json' } });
  served.add(response.status === 200);
}
