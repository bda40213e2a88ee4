package sharding

import "bytes"

// Tag returns the part of key that is hashed: what stands between the first of
// the two characters of tag and the next of the second one, so that user:{42}:a
// and user:{42}:b meet on one server. Without a tag of two characters, without
// both of them in the key, and with nothing between them it is the whole key.
func Tag(key []byte, tag string) []byte {
	if len(tag) != 2 {
		return key
	}
	open := bytes.IndexByte(key, tag[0])
	if open < 0 {
		return key
	}
	inside := key[open+1:]
	if end := bytes.IndexByte(inside, tag[1]); end > 0 {
		return inside[:end]
	}
	return key
}
