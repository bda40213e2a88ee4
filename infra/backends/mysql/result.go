package mysql

import (
	"context"
	"database/sql"
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// Character sets of columns, by their collations' numbers.
const (
	utf8mb4      = 45
	binaryString = 63
)

// query runs a SELECT and returns all its rows.
func (s *session) query(ctx context.Context, text string, args []any, asBinary bool) (*mysql.Result, error) {
	rows, err := s.db.QueryContext(ctx, text, values(args)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	read, err := s.read(rows, len(types))
	if err != nil {
		return nil, err
	}
	fields := describe(types, read)
	set := &mysql.Resultset{Fields: fields}
	for _, row := range read {
		encoded := textRow(fields, row)
		if asBinary {
			encoded = binaryRow(fields, row)
		}
		set.RowDatas = append(set.RowDatas, encoded)
	}
	return mysql.NewResult(set), nil
}

// read reads the rows, up to MYSQL_MAX_RESULT.
func (s *session) read(rows *sql.Rows, columns int) ([][]any, error) {
	var all [][]any
	left := int64(s.cfg.MaxResult)
	for rows.Next() {
		row, into := make([]any, columns), make([]any, columns)
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for _, v := range row {
			left -= 16 // and what a value of a fixed size takes
			switch v := v.(type) {
			case string:
				left -= int64(len(v))
			case []byte:
				left -= int64(len(v))
			}
		}
		if left < 0 {
			return nil, failure(mysql.ER_OUT_OF_RESOURCES, "the answer is larger than "+s.cfg.MaxResult.String()+" (MYSQL_MAX_RESULT): add a LIMIT")
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// describe gives each column its type: the declared one, or, where it is an
// expression, that of its first value.
func describe(types []*sql.ColumnType, read [][]any) []*mysql.Field {
	fields := make([]*mysql.Field, len(types))
	for i, t := range types {
		f := &mysql.Field{Name: []byte(t.Name()), OrgName: []byte(t.Name()), Charset: utf8mb4, ColumnLength: 1024, Type: mysql.MYSQL_TYPE_VAR_STRING}
		kind, digits := declaredType(t.DatabaseTypeName())
		if kind == 0 {
			kind = valueType(read, i)
		}
		switch kind {
		case mysql.MYSQL_TYPE_VAR_STRING:
		case mysql.MYSQL_TYPE_BLOB:
			f.Charset, f.Flag = binaryString, mysql.BLOB_FLAG|mysql.BINARY_FLAG
		default:
			f.Charset, f.Flag = binaryString, mysql.BINARY_FLAG
		}
		f.Type, f.Decimal = kind, digits
		fields[i] = f
	}
	return fields
}

// declaredType reads a type such as VARCHAR(80) or DECIMAL(10,2).
func declaredType(declared string) (kind, digits uint8) {
	base, args, _ := strings.Cut(declared, "(")
	_, scale, _ := strings.Cut(strings.TrimSuffix(args, ")"), ",")
	switch strings.TrimSpace(base) {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER", "BIGINT":
		return mysql.MYSQL_TYPE_LONGLONG, 0
	case "FLOAT", "DOUBLE", "REAL":
		return mysql.MYSQL_TYPE_DOUBLE, 31
	case "DECIMAL", "NUMERIC":
		n, _ := strconv.ParseUint(scale, 10, 8) // no scale means none
		return mysql.MYSQL_TYPE_NEWDECIMAL, uint8(n)
	case "DATETIME", "TIMESTAMP":
		n, _ := strconv.ParseUint(strings.TrimSuffix(args, ")"), 10, 8)
		return mysql.MYSQL_TYPE_DATETIME, uint8(n)
	case "DATE":
		return mysql.MYSQL_TYPE_DATE, 0
	case "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY":
		return mysql.MYSQL_TYPE_BLOB, 0
	case "":
		return 0, 0
	}
	return mysql.MYSQL_TYPE_VAR_STRING, 0
}

func valueType(read [][]any, column int) uint8 {
	for _, row := range read {
		switch row[column].(type) {
		case nil:
			continue
		case int64, bool:
			return mysql.MYSQL_TYPE_LONGLONG
		case float64:
			return mysql.MYSQL_TYPE_DOUBLE
		case []byte:
			return mysql.MYSQL_TYPE_BLOB
		}
		break
	}
	return mysql.MYSQL_TYPE_VAR_STRING
}

// textRow is a row of the text protocol.
func textRow(fields []*mysql.Field, row []any) []byte {
	var out []byte
	for i, v := range row {
		if v == nil {
			out = append(out, 0xfb)
			continue
		}
		out = append(out, mysql.PutLengthEncodedString(asText(fields[i], v))...)
	}
	return out
}

// binaryRow is a row of the binary protocol, which prepared statements use.
func binaryRow(fields []*mysql.Field, row []any) []byte {
	nulls := make([]byte, (len(row)+9)/8)
	out := append([]byte{0}, nulls...)
	for i, v := range row {
		if v == nil {
			nulls[(i+2)/8] |= 1 << ((i + 2) % 8)
			continue
		}
		switch fields[i].Type {
		case mysql.MYSQL_TYPE_LONGLONG:
			out = binary.LittleEndian.AppendUint64(out, uint64(asInteger(v)))
		case mysql.MYSQL_TYPE_DOUBLE:
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(asFloat(v)))
		case mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_DATE:
			out = appendTime(out, asText(fields[i], v))
		default:
			out = append(out, mysql.PutLengthEncodedString(asText(fields[i], v))...)
		}
	}
	copy(out[1:], nulls)
	return out
}
