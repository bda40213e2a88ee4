// Package routes reads the file that says which host and path goes to which
// upstream.
//
//	upstreams:
//	  cache:
//	    address: ${EDGE_UPSTREAM_CACHE}     # host:port[/admin],… · dns:… · file:…
//	    policy: least-requests              # or round-robin, fastest
//	    tls:                                # or true; without it: plain text
//	      server_name: cache                # default: the host of the address
//	      ca_file: /etc/pki/internal-ca.crt # default: EDGE_CA_FILE
//	    optional: true                      # default: false, see below
//	hosts:
//	  - names: [dictionary.localhost, "*.dictionary.localhost"]
//	    routes:
//	      - path: /                         # a path that ends with / stands for all below it
//	        exact: true                     # default: false; this path alone, though it ends with /
//	        upstream: cache
//	        methods: [GET, HEAD]            # default: all; others get 405
//	        timeout: 30s                    # until the head of the answer
//	        body_limit: 16MiB               # of a request
//
// A host matches by its exact name, else by a wildcard for its first label, else
// by the name "*". A path matches exactly, else by the longest prefix.
//
// An upstream that is optional keeps no edge from being ready: while it has no replica its routes answer 503.
// With an empty address it is as if neither it nor its routes were in the file, and neither is a host that has no
// other routes.
//
// ${NAME} in a value is replaced from the environment, for names that begin
// with EDGE_UPSTREAM_ only: a file of routes cannot read other secrets of the
// process. ${NAME:-default} has a default. Replacement happens in values after
// the YAML is parsed, so that no value can change the structure.
//
// All mistakes are found in one go, each with its line.
package routes
