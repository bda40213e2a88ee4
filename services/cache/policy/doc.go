// Package policy says what the cache does with which path: a small YAML file of routes, or the default in
// code when there is none.
//
//	defaults:              # for every route that does not say otherwise
//	  error_grace: 5m
//	routes:
//	  - name: recent       # the label in metrics and logs
//	    prefix: /v1/recent # this path and what is below it
//	    pass: true         # never stored, never coalesced
//	    session: __Host-session
//	  - name: words
//	    prefix: /
//	    accept: [text/html, application/json]
//
// The longest prefix wins. A prefix covers whole path segments: /v1/recent covers /v1/recent and
// /v1/recent/x, not /v1/recently; one that ends in a slash covers everything below it.
//
// A file with any mistake is refused as a whole, and the error names every mistake.
package policy
