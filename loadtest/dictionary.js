// How many look-ups per second do users get, and how long do they wait, as the rate grows?
//
// Words are asked for as people do – few often, many rarely – at an arrival rate that
// climbs in steps. The step at which the tail grows is the capacity of the whole path:
// edge, cache tier, replicas.
//
//   RATE=500 DURATION=30s loadtest/k6.sh dictionary.js   (RATE is that of the last step)
import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { configure, get, hit, popular } from './lib/fleet.js';

const hits = new Counter('cache_hits');
const rate = Number(__ENV.RATE || 400);
const step = __ENV.DURATION || '20s';

export const options = configure({
  scenarios: {
    users: {
      executor: 'ramping-arrival-rate',
      startRate: Math.ceil(rate / 4),
      timeUnit: '1s',
      preAllocatedVUs: 100,
      maxVUs: 1000,
      stages: [1 / 4, 1 / 2, 3 / 4, 1].flatMap((part) => [
        { target: Math.ceil(rate * part), duration: '2s' },
        { target: Math.ceil(rate * part), duration: step },
      ]),
    },
  },
  thresholds: {
    http_req_failed: ['rate<0.001'],
    checks: ['rate>0.999'],
    dropped_iterations: ['count==0'],
    'http_req_duration{name:page}': ['p(99)<250'],
    'http_req_duration{name:entry}': ['p(99)<250'],
    'http_req_duration{name:suggest}': ['p(99)<250'],
  },
});

/** Seven in ten read a page, two use the API, one is still typing. */
export default function () {
  const word = popular();
  const dice = Math.random();
  let response;
  if (dice < 0.7) {
    response = get(`/${word}`, 'page', { headers: { Accept: 'text/html' } });
  } else if (dice < 0.9) {
    response = get(`/v1/words/${word}`, 'entry', { headers: { Accept: 'application/json' } });
  } else {
    response = get(`/v1/suggest?prefix=${word.slice(0, 3)}&limit=10`, 'suggest');
  }
  // Inflected forms among the words lead to their lemma.
  check(response, { 'answered': (r) => r.status === 200 || r.status === 308 });
  if (hit(response)) {
    hits.add(1);
  }
}
