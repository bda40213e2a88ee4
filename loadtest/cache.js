// What does the cache tier save, beside the same requests that it cannot answer?
//
// First popular words (hits, after the first look-up of each), then the same words with
// a query that never repeats: the dictionary ignores it, but to a cache it is another
// URL, so that every request goes through to a replica. The two rates are equal; compare
// the durations by scenario, and the hit rate.
//
//   RATE=200 DURATION=20s loadtest/k6.sh cache.js
import exec from 'k6/execution';
import { check } from 'k6';
import { Rate, Trend } from 'k6/metrics';
import { arrivals, configure, get, hit, popular, words } from './lib/fleet.js';

const hitRate = { with: new Rate('hits_with_cache'), without: new Rate('hits_without_cache') };
const duration = { with: new Trend('duration_with_cache', true), without: new Trend('duration_without_cache', true) };

const seconds = parseInt(__ENV.DURATION || '20s', 10);

export const options = configure({
  scenarios: {
    with: arrivals(100, '20s', { exec: 'withCache' }),
    without: arrivals(100, '20s', { exec: 'withoutCache', startTime: `${seconds + 2}s` }),
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    dropped_iterations: ['count==0'],
    hits_with_cache: ['rate>0.5'],
    hits_without_cache: ['rate==0'],
  },
});

/** Most requests are for few words: these are in every cache before the clock runs. */
export function setup() {
  for (let round = 0; round < 4; round++) {
    words.slice(0, 150).forEach((word) => get(`/v1/words/${word}`, 'setup', { headers: { Accept: 'application/json' } }));
  }
}

export function withCache() {
  measure('with', `/v1/words/${popular()}`);
}

export function withoutCache() {
  measure('without', `/v1/words/${popular()}?n=${exec.scenario.iterationInTest}-${Date.now()}`);
}

function measure(side, path) {
  const response = get(path, side, { headers: { Accept: 'application/json' } });
  check(response, { 'answered': (r) => r.status === 200 || r.status === 308 });
  hitRate[side].add(hit(response));
  duration[side].add(response.timings.duration);
}
