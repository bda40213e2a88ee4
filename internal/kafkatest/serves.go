package kafkatest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// A request for metadata, version 7, for no topics: the answer names the brokers of the cluster
// that take part in it.
var metadata = []byte{
	0, 0, 0, 23, // length
	0, 3, 0, 7, // kind, version
	0, 0, 0, 1, // number that the answer repeats
	0, 8, 'r', 'e', 'a', 'd', 'y', '?', '!', '!', // name of the client
	0, 0, 0, 0, // no topics
	0, // make none
}

// patience bounds one question.
const patience = 5 * time.Second

// serves asks a broker for the brokers that there are. One that has just started knows none,
// itself not either, and makes no topics then.
func serves(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(metadata); err != nil {
		return err
	}
	// Length, number, time to wait, and how many brokers there are; four bytes each.
	var answer [16]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if binary.BigEndian.Uint32(answer[12:]) == 0 {
		return errors.New("no broker takes part yet")
	}
	return nil
}
