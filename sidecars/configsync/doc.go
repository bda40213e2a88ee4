// Package configsync is a sidecar that keeps the configuration files of an
// application equal to keys in etcd, for an application that knows of files only.
//
// One key is one file, or all keys with a prefix are the files of a directory:
//
//	CONFIGSYNC_ETCD_ENDPOINTS=etcd:2379 \
//	CONFIGSYNC_KEY=/configs/legacy.ini CONFIGSYNC_FILE=/etc/legacy/legacy.ini \
//	CONFIGSYNC_SIGNAL=SIGHUP CONFIGSYNC_PROCESS=legacy configsync
//
// The directory is shared with the application; for the signal, the PID namespace
// is too. The value of a key is the file, byte for byte. It is checked before it is
// written, and what is broken is not written: the file before it stays, and
// GET /v1/status says why.
//
// etcd → package follow (what is there now) → package folder (checked, written,
// renamed) → package notify (the signal).
package configsync
