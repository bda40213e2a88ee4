package wire

import "strconv"

// isUint and isInt accept what memcached accepts as a number in a word.
func isUint(word []byte, bits int) bool {
	_, err := strconv.ParseUint(string(unsigned(word)), 10, bits)
	return err == nil
}

func isInt(word []byte, bits int) bool {
	_, err := strconv.ParseInt(string(word), 10, bits)
	return err == nil
}

func unsigned(word []byte) []byte {
	if len(word) > 1 && word[0] == '+' {
		return word[1:]
	}
	return word
}

// length reads the length of a data block.
func length(word []byte) (int, bool) {
	n, err := strconv.ParseUint(string(word), 10, 31)
	return int(n), err == nil && n <= 1<<31-3
}
