// Package command knows Redis's commands as far as a sharding proxy must: where
// their keys are, and what is done with a command that has several.
//
//	spec := command.Find([]byte("mget"))
//	keys, err := spec.Keys(args)
//
// A command goes to the shard of its key. Of those with several keys some are
// split, a part for each shard (MGET, MSET, DEL, …); the others are sent only
// when all keys belong to one shard, as hash tags make them. What cannot be
// sharded is refused with a reason; what is not in the table is unknown, because
// nobody could say where its keys are.
package command
