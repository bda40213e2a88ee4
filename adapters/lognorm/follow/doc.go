// Package follow reads files that others write, rotate, copy and truncate.
//
// A file is its device and inode, never its name. A Set finds the files of some
// patterns and keeps for each how far it was read, together with the bytes
// before that place: by them it knows after a restart, and before every read,
// that the file still is the one that it was. So
//
//   - a renamed file is read on under its new name, to its end, and while the
//     Set holds it open even after it was removed;
//   - generations that were made and rotated away between two looks, or while
//     nobody looked, are found beside the file and read too;
//   - a file that was truncated is begun again, also when it has grown past the
//     old place meanwhile; and what copytruncate has copied is read on in the copy;
//   - a new file that has the inode of an old one is a new file.
//
// What was there, was not read, and is gone, is counted.
//
// Files are polled: that works alike on every file system and volume. Compressed
// generations are not read. A Set belongs to one goroutine.
package follow
