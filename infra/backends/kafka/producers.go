package kafka

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

// A producer sends a batch again when its answer was lost, under the same sequence number, and the broker knows by that number that it has
// the batch. kfake writes its numbers down when it is closed, and so forgets them when it is killed. But they stand in the logs, in the head
// of each batch. recoverProducers reads them there, and writes them where kfake looks for them: brokers of Kafka do the same after a crash.
//
// The files are those of the version of kfake in go.mod: segments of batches as they come over the wire, pids.log and seq_windows.json.
func recoverProducers(dir string) error {
	logs, err := os.ReadDir(filepath.Join(dir, "partitions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was written yet
	}
	if err != nil {
		return err
	}
	windows := []*window{} // not null
	for _, one := range logs {
		topic, partition, is := partitionOf(one.Name())
		if !is {
			continue // not of kfake, which does not look at it
		}
		found, err := readProducers(filepath.Join(dir, "partitions", one.Name()), topic, partition)
		if err != nil {
			return err
		}
		windows = append(windows, found...)
	}
	if err := rememberIDs(filepath.Join(dir, "pids.log"), windows); err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{"version": 1, "windows": windows})
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, "seq_windows.json"), text, 0o600)
}

// A window is the last batches of a producer in a partition, as kfake keeps it.
type window struct {
	ID        int64    `json:"pid"`
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Batches   [5]batch `json:"entries"` // a ring
	Count     uint8    `json:"count"`
	At        uint8    `json:"at"` // where the next one comes
	Epoch     int16    `json:"epoch"`
	Seen      bool     `json:"seen"` // always: kfake has windows before it has a batch, too
	Next      int32    `json:"next_seq"`
}

type batch struct {
	First  int32 `json:"first_seq"`
	Next   int32 `json:"next_seq"`
	Offset int64 `json:"offset"`
}

// add takes in the next batch. Another epoch begins anew.
func (w *window) add(h head) {
	if w.Epoch != h.epoch {
		w.Epoch, w.Count, w.At = h.epoch, 0, 0
	}
	w.Next = int32((int64(h.sequence) + int64(h.records)) % math.MaxInt32)
	w.Batches[w.At] = batch{First: h.sequence, Next: w.Next, Offset: h.offset}
	w.At, w.Count = (w.At+1)%uint8(len(w.Batches)), min(w.Count+1, uint8(len(w.Batches)))
}

// partitionOf reads the name of a log's folder: the topic, escaped as in a URL, and the number.
func partitionOf(name string) (topic string, partition int32, is bool) {
	at := strings.LastIndexByte(name, '-')
	if at < 0 {
		return "", 0, false
	}
	topic, err1 := url.PathUnescape(name[:at])
	n, err2 := strconv.ParseInt(name[at+1:], 10, 32)
	return topic, int32(n), err1 == nil && err2 == nil
}

// readProducers reads the log of a partition.
func readProducers(dir, topic string, partition int32) ([]*window, error) {
	segments, err := segmentsOf(dir)
	if err != nil {
		return nil, err
	}
	l := log{topic: topic, partition: partition, known: map[int64]*window{}}
	for _, segment := range segments {
		if err := l.read(segment); err != nil {
			return nil, err
		}
	}
	return l.windows, nil
}

// A log is what is read of a partition.
type log struct {
	topic     string
	partition int32
	known     map[int64]*window
	windows   []*window // the known ones, as they were found
}

func (l *log) read(segment string) error {
	f, err := os.Open(segment)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	return eachBatch(bufio.NewReaderSize(f, 256<<10), l.add)
}

func (l *log) add(h head) {
	if h.producer < 0 || h.control {
		return
	}
	w := l.known[h.producer]
	if w == nil {
		w = &window{ID: h.producer, Topic: l.topic, Partition: l.partition, Epoch: h.epoch, Seen: true}
		l.known[h.producer], l.windows = w, append(l.windows, w)
	}
	w.add(h)
}

// segmentsOf lists the files of a log, the oldest first: each is called by the offset at which it begins.
func segmentsOf(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.dat"))
	if err != nil {
		return nil, err
	}
	begin := func(file string) int64 {
		offset, _ := strconv.ParseInt(strings.TrimSuffix(filepath.Base(file), ".dat"), 10, 64) // another name is not of kfake, which does not read it
		return offset
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(begin(a), begin(b)) })
	return files, nil
}

// The head of a batch, by https://kafka.apache.org/documentation/#recordbatch.
const (
	batchPrefix = 12 // offset and length, which the length does not count
	batchSummed = 21 // where that begins of which there is a checksum
	batchHead   = 61
	longest     = 1 << 30
)

type head struct {
	offset, producer  int64
	epoch             int16
	sequence, records int32
	control           bool // it ends a transaction
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// eachBatch tells of the batches of a segment, up to its end or to one that is not whole: kfake cuts it off there.
func eachBatch(r io.Reader, tell func(head)) error {
	var raw [batchHead]byte
	for {
		if _, err := io.ReadFull(r, raw[:]); err != nil {
			return notWhole(err)
		}
		length := int64(binary.BigEndian.Uint32(raw[8:]))
		if length < batchHead-batchPrefix || length > longest {
			return nil
		}
		sum := crc32.New(castagnoli)
		_, _ = sum.Write(raw[batchSummed:]) // a hash takes everything
		if _, err := io.CopyN(sum, r, length-(batchHead-batchPrefix)); err != nil {
			return notWhole(err)
		}
		if sum.Sum32() != binary.BigEndian.Uint32(raw[17:]) {
			return nil
		}
		tell(head{
			offset: int64(binary.BigEndian.Uint64(raw[0:])), control: raw[22]&0x20 != 0, producer: int64(binary.BigEndian.Uint64(raw[43:])),
			epoch: int16(binary.BigEndian.Uint16(raw[51:])), sequence: int32(binary.BigEndian.Uint32(raw[53:])), records: int32(binary.BigEndian.Uint32(raw[57:])),
		})
	}
}

// notWhole is nil for the end of a file, wherever it comes.
func notWhole(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// identity is what pids.log says of a producer: entries of JSON, each behind its length, its checksum and its version.
type identity struct {
	Type  string `json:"type"`
	ID    int64  `json:"pid"`
	Epoch int16  `json:"epoch"`
	Name  string `json:"txid,omitempty"` // of one that has transactions
}

const (
	entryHead    = 10
	entryVersion = 1
)

// rememberIDs adds to pids.log the producers that the logs know, and it does not.
func rememberIDs(file string, windows []*window) error {
	raw, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	all, err := addIdentities(raw, windows)
	if err != nil || bytes.Equal(all, raw) {
		return err
	}
	return atomicfile.Write(file, all, 0o600)
}

// addIdentities keeps what is whole, and adds what is missing: a producer that was not sure of an answer takes the next epoch by itself.
// Those that have transactions are written down whenever their epoch changes.
func addIdentities(raw []byte, windows []*window) (all []byte, err error) {
	all, known := readIdentities(raw)
	for _, w := range windows {
		if have, is := known[w.ID]; is && (have.Name != "" || have.Epoch >= w.Epoch) {
			continue
		}
		known[w.ID] = identity{Type: "init", ID: w.ID, Epoch: w.Epoch} // the last entry counts
		if all, err = appendIdentity(all, known[w.ID]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// readIdentities returns the entries that are whole, and what they say last of each producer.
func readIdentities(raw []byte) (whole []byte, known map[int64]identity) {
	known = map[int64]identity{}
	at := 0
	for at+entryHead <= len(raw) {
		length := int64(binary.LittleEndian.Uint32(raw[at:]))
		if length < 2 || int64(at)+8+length > int64(len(raw)) {
			break
		}
		summed := raw[at+8 : at+8+int(length)]
		if crc32.Checksum(summed, castagnoli) != binary.LittleEndian.Uint32(raw[at+4:]) {
			break
		}
		at += 8 + int(length)
		var next identity
		if json.Unmarshal(summed[2:], &next) != nil {
			continue // kfake leaves it out, too
		}
		if next.Type != "init" {
			next.Name = known[next.ID].Name
		}
		known[next.ID] = next
	}
	return raw[:at:at], known
}

func appendIdentity(to []byte, i identity) ([]byte, error) {
	text, err := json.Marshal(i)
	if err != nil {
		return nil, err
	}
	summed := append(binary.LittleEndian.AppendUint16(nil, entryVersion), text...)
	to = binary.LittleEndian.AppendUint32(to, uint32(len(summed)))
	to = binary.LittleEndian.AppendUint32(to, crc32.Checksum(summed, castagnoli))
	return append(to, summed...), nil
}
