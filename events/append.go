package events

import "bytes"

// AppendRecord appends the encoding of rec to dst. It is ErrTooLarge when an
// event or the record is over its limit; dst is then returned as it was.
//
// It writes the envelope, which is frozen, by hand, and has the codec write the
// payloads in their place: this is on the way of every write.
func AppendRecord(dst []byte, rec *Record) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	writeHead(buf, cborArray, envelopeFields)
	writeHead(buf, cborUint, recordVersion)
	writeHead(buf, cborUint, rec.Seq)
	writeInt(buf, int64(rec.Time))
	writeHead(buf, cborBytes, uint64(len(rec.Prev)))
	buf.Write(rec.Prev[:])
	if err := encMode.MarshalToBuffer(&rec.Meta, buf); err != nil {
		return dst, err
	}
	writeHead(buf, cborArray, uint64(len(rec.Facts)))
	for i := range rec.Facts {
		if err := writeFact(buf, &rec.Facts[i]); err != nil {
			return dst, err
		}
	}
	if size := buf.Len() - len(dst); size > MaxRecordBytes {
		return dst, Errorf(CodeTooLarge, "the record would take %d bytes, the limit is %d; split the command", size, MaxRecordBytes)
	}
	return buf.Bytes(), nil
}

func writeFact(buf *bytes.Buffer, f *Fact) error {
	t := f.Event.Type()
	writeHead(buf, cborArray, 5)
	writeHead(buf, cborUint, uint64(t))
	writeHead(buf, cborUint, uint64(schemaVersion(t)))
	var flags uint64
	if f.Derived {
		flags = flagDerived
	}
	writeHead(buf, cborUint, flags)
	writeInt(buf, int64(f.Cause))
	before := buf.Len()
	if err := encMode.MarshalToBuffer(f.Event, buf); err != nil {
		return err
	}
	if size := buf.Len() - before; size > MaxEventBytes {
		return Errorf(CodeTooLarge, "%s of %s would take %d bytes, the limit is %d; make it smaller", t, f.Event.Entity(), size, MaxEventBytes)
	}
	return nil
}

// writeHead writes the head of a CBOR item.
func writeHead(buf *bytes.Buffer, major byte, argument uint64) {
	buf.Write(appendHead(buf.AvailableBuffer(), major, argument))
}

func writeInt(buf *bytes.Buffer, n int64) {
	if n < 0 {
		writeHead(buf, cborNegative, uint64(-1-n))
		return
	}
	writeHead(buf, cborUint, uint64(n))
}
