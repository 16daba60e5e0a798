package events

import "bytes"

// AppendRecord appends the encoding of rec to dst. It is ErrTooLarge when an
// event or the record is over its limit; dst is then returned as it was.
//
// It is on the way of every write. So it writes by hand what a [Decoder] reads by
// hand: the frozen envelope, and the payloads that come by the million. The codec
// writes the others, and tests compare the two.
func AppendRecord(dst []byte, rec *Record) ([]byte, error) {
	buf := JoinRecord(dst, rec.Seq, rec.Time, rec.Prev, nil)
	buf = appendMeta(buf, &rec.Meta)
	buf = appendHead(buf, cborArray, uint64(len(rec.Facts)))
	var err error
	for i := range rec.Facts {
		if buf, err = appendFact(buf, &rec.Facts[i]); err != nil {
			return dst, err
		}
	}
	if size := len(buf) - len(dst); size > MaxRecordBytes {
		return dst, Errorf(CodeTooLarge, "the record would take %d bytes, the limit is %d; split the command", size, MaxRecordBytes)
	}
	return buf, nil
}

func appendMeta(buf []byte, m *Meta) []byte {
	start := len(buf)
	fields := uint64(0)
	buf = appendHead(buf, cborMap, 0) // of five fields at most: its head is one byte
	key := func(n uint64) {
		fields++
		buf = appendHead(buf, cborUint, n)
	}
	if m.CommandID != "" {
		key(1)
		buf = appendText(buf, m.CommandID)
	}
	if len(m.CommandHash) > 0 {
		key(2)
		buf = append(appendHead(buf, cborBytes, uint64(len(m.CommandHash))), m.CommandHash...)
	}
	if m.Actor != "" {
		key(3)
		buf = appendText(buf, m.Actor)
	}
	if m.Cause != nil {
		key(4)
		buf = appendHead(buf, cborArray, 2)
		buf = appendHead(buf, cborUint, m.Cause.Seq)
		buf = appendInt(buf, int64(m.Cause.Index))
	}
	if m.Reason != "" {
		key(5)
		buf = appendText(buf, m.Reason)
	}
	buf[start] |= byte(fields)
	return buf
}

func appendFact(buf []byte, f *Fact) ([]byte, error) {
	t := f.Event.Type()
	var flags uint64
	if f.Derived {
		flags = flagDerived
	}
	buf = appendHead(buf, cborArray, 5)
	buf = appendHead(buf, cborUint, uint64(t))
	buf = appendHead(buf, cborUint, uint64(schemaVersion(t)))
	buf = appendHead(buf, cborUint, flags)
	buf = appendInt(buf, int64(f.Cause))
	before := len(buf)
	buf, err := appendPayload(buf, f.Event)
	if err != nil {
		return buf, err
	}
	if size := len(buf) - before; size > MaxEventBytes {
		return buf, Errorf(CodeTooLarge, "%s of %s would take %d bytes, the limit is %d; make it smaller", t, f.Event.Entity(), size, MaxEventBytes)
	}
	return buf, nil
}

func appendPayload(buf []byte, event Event) ([]byte, error) {
	switch e := event.(type) {
	case *OffsetCommitted:
		return appendOffset(buf, &e.OffsetRef, &e.OffsetInfo), nil
	case *OffsetDeleted:
		return appendOffset(buf, &e.OffsetRef, nil), nil
	case *OffsetExpired:
		return appendOffset(buf, &e.OffsetRef, nil), nil
	case *HighWatermarkAdvanced:
		return appendHighWatermark(buf, e), nil
	}
	w := bytes.NewBuffer(buf)
	err := encMode.MarshalToBuffer(event, w)
	return w.Bytes(), err
}

// appendOffset appends the map of an offset, without info if that is nil.
func appendOffset(buf []byte, ref *OffsetRef, info *OffsetInfo) []byte {
	fields := uint64(5)
	if info != nil {
		if fields = 7; info.Metadata != "" {
			fields = 8
		}
	}
	buf = appendHead(buf, cborMap, fields)
	buf = appendText(append(buf, 1), ref.Group)
	buf = appendHead(append(buf, 2), cborUint, ref.GroupID)
	buf = appendText(append(buf, 3), ref.Topic)
	buf = appendUUID(append(buf, 4), ref.TopicID)
	buf = appendInt(append(buf, 5), int64(ref.Partition))
	if info == nil {
		return buf
	}
	buf = appendInt(append(buf, 6), info.Offset)
	buf = appendInt(append(buf, 7), int64(info.LeaderEpoch))
	if info.Metadata != "" {
		buf = appendText(append(buf, 8), info.Metadata)
	}
	return buf
}

func appendHighWatermark(buf []byte, e *HighWatermarkAdvanced) []byte {
	buf = appendHead(buf, cborMap, 5)
	buf = appendText(append(buf, 1), e.Topic)
	buf = appendUUID(append(buf, 2), e.TopicID)
	buf = appendInt(append(buf, 3), int64(e.Partition))
	buf = appendInt(append(buf, 4), e.HighWatermark)
	return appendInt(append(buf, 5), int64(e.LeaderEpoch))
}
