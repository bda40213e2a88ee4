#!/bin/sh
# start.sh <listen host:port> <vcl file> <working directory>
#
# Varnish as it comes, with 256 MiB of memory as the cache has, and enough threads at
# start: it serves each connection by a thread of its own. Its shared-memory log is on,
# varnishncsa (which would write it out) is not. It stays the user that starts it.
set -eu
exec varnishd -j none -F -a "$1" -f "$2" -n "$3" -s malloc,256m \
	-p thread_pools=2 -p thread_pool_min=200 -p thread_pool_max=2000
