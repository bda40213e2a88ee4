// What the scripts share: where the fleet is, whom to trust, which words to ask for.
//
//   BASE_URL   of the fleet, https://dictionary.localhost:8443 by default
//   ADDRESS    IP address behind *.localhost, 127.0.0.1 by default; "dns" asks the resolver (in compose)
//   INSECURE   "on" trusts any certificate; "on" by default for *.localhost, else "off"
//   SSL_CERT_FILE  with INSECURE=off: the authority to trust (Go reads it; loadtest/k6.sh sets both)
//   RATE, DURATION  of the load, where a script has one
import http from 'k6/http';
import { SharedArray } from 'k6/data';

export const base = (__ENV.BASE_URL || 'https://dictionary.localhost:8443').replace(/\/+$/, '');

const host = base.replace(/^https?:\/\//, '').replace(/[:/].*$/, '');
const local = host === 'localhost' || host.endsWith('.localhost');

export const words = new SharedArray('words', () => JSON.parse(open('./words.json')));

/** Options of a script, with what every script needs. */
export function configure(own) {
  const shared = {
    insecureSkipTLSVerify: (__ENV.INSECURE || (local ? 'on' : 'off')) === 'on',
    summaryTrendStats: ['avg', 'min', 'med', 'p(90)', 'p(99)', 'max'],
    userAgent: 'flotilla-loadtest',
  };
  if (local && __ENV.ADDRESS !== 'dns') {
    shared.hosts = { '*.localhost': __ENV.ADDRESS || '127.0.0.1' };
  }
  return Object.assign(shared, own);
}

/**
 * An open loop: arrivals come at a constant rate, whatever becomes of them.
 * Virtual users are what is in flight; when they run out k6 counts the arrival
 * as dropped, which the thresholds of the scripts forbid.
 */
export function arrivals(rate, duration, more) {
  return Object.assign({
    executor: 'constant-arrival-rate',
    rate: Number(__ENV.RATE || rate),
    timeUnit: '1s',
    duration: __ENV.DURATION || duration,
    preAllocatedVUs: 50,
    maxVUs: 500,
  }, more);
}

/** A word as users choose them: few words often, many rarely (Zipf, exponent 1). */
export function popular() {
  return words[Math.floor(Math.exp(Math.random() * Math.log(words.length + 1))) - 1];
}

/** GET of a path; tags make metrics of routes, not of URLs. */
export function get(path, route, params) {
  return http.get(base + path, Object.assign({ tags: { name: route }, redirects: 0, timeout: '10s' }, params));
}

/** Whether the answer came from the memory of the cache tier (RFC 9211). */
export function hit(response) {
  return /;\s*hit(;|,|$)/.test(response.headers['Cache-Status'] || '');
}

/** json of an answer, or {} when it is none: a check fails then, not the script. */
export function json(response) {
  try {
    return response.json() || {};
  } catch (e) {
    return {};
  }
}
