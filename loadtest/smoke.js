// Does the fleet do everything that it promises to a user?
//
// A little load, every route, and thresholds that forgive nothing: one failed check,
// one error, one dropped arrival or a slow tail is a red exit status.
//
//   k6 run --no-usage-report loadtest/smoke.js        (or: make smoke, loadtest/k6.sh smoke.js)
import http from 'k6/http';
import { check } from 'k6';
import { arrivals, base, configure, get, json, popular } from './lib/fleet.js';

http.setResponseCallback(http.expectedStatuses({ min: 200, max: 399 }, 400, 404));

export const options = configure({
  scenarios: { user: arrivals(10, '10s', { preAllocatedVUs: 20, maxVUs: 100 }) },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    http_req_duration: ['p(99)<500'],
    dropped_iterations: ['count==0'],
  },
});

/** One user's minute: look up, mistype, get suggestions, be remembered. */
export default function () {
  page();
  api();
  mistakes();
  memory();
}

function page() {
  const word = popular();
  const home = get('/', 'home', { headers: { Accept: 'text/html' } });
  check(home, {
    'home: 200': (r) => r.status === 200,
    'home: HTML': (r) => (r.headers['Content-Type'] || '').startsWith('text/html'),
    'home: strict transport security': (r) => !base.startsWith('https:') || 'Strict-Transport-Security' in r.headers,
  });
  const html = get(`/${word}`, 'word', { headers: { Accept: 'text/html' } });
  check(html, {
    'word: 200': (r) => r.status === 200,
    'word: is on its page': (r) => String(r.body).includes(word),
    'word: shared by all, so without cookie': (r) => !('Set-Cookie' in r.headers),
    'word: validator': (r) => 'Etag' in r.headers,
  });
  const again = get(`/${word}`, 'word', { headers: { Accept: 'text/html', 'If-None-Match': html.headers.Etag || '' } });
  check(again, { 'word: not sent again to who has it': (r) => r.status === 304 });
}

function api() {
  const entry = get('/v1/words/dog', 'entry', { headers: { Accept: 'application/json' } });
  check(entry, {
    'entry: 200 JSON': (r) => r.status === 200 && (r.headers['Content-Type'] || '').includes('json'),
    'entry: has senses': (r) => JSON.stringify(json(r)).includes('canine'),
  });
  const suggest = get('/v1/suggest?prefix=fle&limit=5', 'suggest');
  check(suggest, { 'suggest: up to five': (r) => { const s = json(r).suggestions || []; return s.length > 0 && s.length <= 5; } });
  const random = get('/v1/random', 'random', { headers: { Accept: 'application/json' } });
  check(random, {
    'random: 200': (r) => r.status === 200,
    'random: names its replica': (r) => 'X-Served-By' in r.headers,
    'random: is kept nowhere': (r) => /no-store/.test(r.headers['Cache-Control'] || ''),
  });
}

function mistakes() {
  const unknown = get('/v1/words/dictionnary', 'unknown');
  check(unknown, {
    'unknown: 404 problem': (r) => r.status === 404 && (r.headers['Content-Type'] || '').includes('problem+json'),
    'unknown: did you mean': (r) => JSON.stringify(json(r)).includes('dictionary'),
  });
  const variant = get('/ICE%20cream', 'variant');
  check(variant, { 'variant: redirected to its canonical URL': (r) => r.status === 308 });
  const long = get('/' + 'x'.repeat(2000), 'absurd');
  check(long, { 'absurd: refused with a problem': (r) => r.status === 400 && (r.headers['Content-Type'] || '').includes('problem+json') });
}

function memory() {
  const jar = http.cookieJar();
  jar.clear(base);
  const word = popular();
  const added = http.post(`${base}/v1/recent`, JSON.stringify({ word }), {
    headers: { 'Content-Type': 'application/json' }, tags: { name: 'recent-add' }, redirects: 0,
  });
  check(added, {
    'recent: recorded': (r) => r.status >= 200 && r.status < 300,
    'recent: session begins': (r) => '__Host-session' in r.cookies,
  });
  const id = ((added.cookies['__Host-session'] || [])[0] || {}).value;
  const list = get('/v1/recent', 'recent-list', { cookies: { '__Host-session': id } });
  check(list, {
    'recent: the same replica remembers': (r) => r.status === 200 && JSON.stringify(json(r)).includes(word),
  });
}
