// Package plan reads the file of experiments and shadows, and says which experiment a user belongs to.
//
//	experiments:
//	  - name: next              # also the arm's name in answers, metrics and the report
//	    percent: 10.00          # of the users, 0.00 to 100.00
//	    upstream: ${EXPERIMENT_UPSTREAM_NEXT} # host:port[/adminport],… · dns:… · file:…
//	    tls_name: dictionary    # speak TLS and expect this name; plain text when absent
//	    sticky: cookie          # cookie (default) | client-address | header:X-User
//	    path: /v1               # this path and what is below it; everything when absent
//	    timeout: 1s             # for the head of an answer; then production answers
//	    layer: search           # with which others it shares the users; itself alone when absent
//	    from: 50.00             # where on the layer's line of users its share begins
//	    budget: {errors: 5.00, p99: 2.0, window: 60s, min_requests: 100}
//	shadows:
//	  - name: mirror
//	    percent: 5.00           # of the requests that production answers
//	    upstream: file:next.endpoints
//	    methods: [GET, HEAD]    # others than safe ones only with own_store: true
//	    compare: {body: json, ignore: [served_by, hits.time]}
//
// # Who is in an experiment
//
// The users of a layer stand on a line of 10,000 slots: the slot of a user is the first eight bytes of
// SHA-256(layer, NUL, identity), big-endian, modulo 10,000. An experiment has the slots from its from on,
// as many as its percentage has hundredths. So
//
//   - a user keeps the slot for as long as the identity, whatever else changes, in every replica;
//   - a larger percentage adds slots at the end and takes none away: users only move in, and a smaller one
//     only moves users out;
//   - the experiments of a layer exclude each other, because ranges that overlap are refused; changing one
//     moves nobody who is in another;
//   - layers are independent of each other, because the name of the layer is in the hash.
//
// Hashing each experiment by itself with "the first that matches wins" cannot do that: a larger share of the
// first takes users away from the second. Room to grow is therefore declared, by from.
//
// An experiment that names no layer is a layer of its own name. A request belongs to one layer: the one with
// the longest path that covers it. Two layers with one path would compete for the same requests, so they
// are refused.
//
// A file with any mistake is refused as a whole, and the error names every mistake.
package plan
