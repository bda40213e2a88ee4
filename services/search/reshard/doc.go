// Package reshard moves the documents of a search from a log with N partitions to one with M, while they are searched and written.
//
// # Steps
//
//  1. copying: a driver fills the next log. It follows every partition of the old one; each record goes to the partition that the placement of the
//     next layout gives its key, with the place that it came from. All records of a key come from one partition and go to one, so their
//     order stays. A mark is written to every new partition when every old one has it.
//  2. sealing: when the copy is nearly level, all roots follow, and the new leaves have caught up, it is announced that the old log
//     ends. Roots hold writes. The driver waits until none can acknowledge one any more (control.Patience).
//  3. sealed: the driver writes a seal to every old partition, and copies up to it. From here on there is no way back.
//  4. switched: the copy was compared with the old log, record by record, and the new leaves have all of it. Roots read and write the next
//     layout. The driver looks at the old log for a while: what comes behind a seal was acknowledged to nobody, and is counted.
//  5. serving: done.
//
// # What can happen to a driver
//
// It can end at any moment, and another one goes on with the same command. Who takes over takes a step of the control topic, in which it
// gets an epoch of the copying producer, and begins every new partition with a fence under it: what the earlier driver had on its way is
// refused behind that. Then it reads the new log up to its fences, and learns from the places in the records what is copied already. The
// old log it reads from its beginning, which costs time, but gives it the marks and what to compare the copy with.
//
// Of what is read again only that is written that is missing. Where compaction has taken the last deletions of a new partition away, these are
// copied again, in order: the end is the same, and before the switch nobody reads it.
package reshard
