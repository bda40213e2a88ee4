// Package configapi is a small API for configurations: it keeps each under a
// name, with its versions, in etcd.
//
//	PUT    /v1/configs/{name}               a new version; If-Match against lost updates
//	GET    /v1/configs/{name}               the bytes as they were sent
//	GET    /v1/configs/{name}/versions      the history, bounded
//	GET    /v1/configs/{name}/versions/{n}  the bytes of a version
//	GET    /v1/configs/{name}/diff          what changed between two versions
//	POST   /v1/configs/{name}/rollback      an old version, byte for byte, as a new one
//	DELETE /v1/configs/{name}               with its history
//
// # Keys
//
// The value of the key <prefix><name> is the configuration and nothing else, and
// its version is etcd's own count of the writes to the key: whoever watches the
// key needs neither this API nor a format. The history lies beside it:
//
//	/configs/legacy/page.ini                                  the bytes
//	/configs-history/legacy%2Fpage.ini/data/0000000003        the bytes of version 3
//	/configs-history/legacy%2Fpage.ini/meta/0000000003        type, time, digest of version 3
//
// One transaction writes all of them, on the condition that the key is still what
// was read: of two writers at the same time one begins anew.
package configapi
