// Package doclog is the log of documents: a topic of Kafka with one partition per shard, which is the truth that all indexes are made
// from.
//
// A record is a document under its id, a tombstone that deletes the document with an id, or a mark. The topic is compacted: of records
// with the same key the newest stays. So a replica that reads a partition from its beginning gets every document that lives, and an
// offset names a state of the shard, the one after all records before it.
//
// # Writing
//
// A Writer tells three ends of a write apart, because its caller has to: it is acknowledged and has an offset; it is refused and surely
// not in the log (Refused, Invalid); or nobody knows (Unknown), and whoever repeats it may write it twice, which does no harm where a
// record is a whole document under its id. The producers of the client library report one kind of failure for the last two, which is why
// this one sends its requests itself: one producer identity per partition, one request of a partition at a time, repeated with the same
// sequence numbers as long as its outcome is open, so that an acknowledged record is in the log once. A request that is given up while its outcome is
// open ends the epoch of its producer: a broker that was only slow then refuses it, when it gets to it after what was written since.
//
// # Reading
//
// A Follower reads a partition from an offset, in order, and never ends by itself but for an error that its reader has to know: the
// log has lost what is wanted next, or is another one under the same name. Nothing is left out in silence.
package doclog
