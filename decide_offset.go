package metalog

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// CommitOffsets commits a group's offsets, all in one record.
type CommitOffsets struct {
	Group   string         `json:"group" require:"true"`
	Offsets []OffsetCommit `json:"offsets" require:"true"`
	// Generation and MemberID are of the member that commits. A group that has
	// members takes commits from them only; one that has none takes them without.
	Generation *int32 `json:"generation,omitempty"`
	MemberID   string `json:"member_id,omitempty"`
}

// OffsetCommit is a group's new position in one partition.
type OffsetCommit struct {
	Topic       string    `json:"topic" require:"true"`
	TopicID     uuid.UUID `json:"topic_id,omitzero"` // zero: whichever topic has the name now
	Partition   int32     `json:"partition" require:"true"`
	Offset      int64     `json:"offset" require:"true"`  // of the next record to read
	LeaderEpoch *int32    `json:"leader_epoch,omitempty"` // of the last record read; nil: not known
	Metadata    string    `json:"metadata,omitempty"`
}

// DeleteOffsets deletes a group's offsets for one partition of a topic, or for
// all of them.
type DeleteOffsets struct {
	Group     string `json:"group" require:"true"`
	Topic     string `json:"topic" require:"true"`
	Partition *int32 `json:"partition,omitempty"` // nil: all
}

// ExpireOffsets expires the offsets of a group without members that were
// committed before a moment. It takes what one record holds: repeat it until it
// changes nothing.
type ExpireOffsets struct {
	Group  string      `json:"group" require:"true"`
	Before events.Time `json:"before" require:"true"`
}

func (CommitOffsets) Op() string { return "offset.commit" }
func (DeleteOffsets) Op() string { return "offset.delete" }
func (ExpireOffsets) Op() string { return "offset.expire" }

func (c CommitOffsets) validate() error {
	var v checks
	v.text("group", c.Group, MaxGroupIDBytes)
	v.optionalText("member_id", c.MemberID, MaxTextBytes)
	v.offsets(c.Offsets)
	return v.err
}

func (c *checks) offsets(offsets []OffsetCommit) {
	if len(offsets) == 0 {
		c.fail("offsets", "is missing; give at least one")
	}
	if n := len(offsets); n > events.MaxRecordEvents && c.err == nil {
		c.err = events.Errorf(events.CodeTooLarge, "offsets: has %d entries, the limit is %d; split the commit", n, events.MaxRecordEvents)
	}
	for i := range offsets {
		if c.offset(&offsets[i]); c.err != nil {
			c.err = events.Errorf(events.CodeInvalid, "offsets[%d].%w", i, c.err)
			return
		}
	}
}

func (c *checks) offset(o *OffsetCommit) {
	c.topicName("topic", o.Topic)
	c.atLeast("partition", int64(o.Partition), 0)
	c.atLeast("offset", o.Offset, 0)
	if o.LeaderEpoch != nil {
		c.atLeast("leader_epoch", int64(*o.LeaderEpoch), -1)
	}
	c.optionalText("metadata", o.Metadata, MaxMetadataBytes)
}

func (c DeleteOffsets) validate() error {
	var v checks
	v.text("group", c.Group, MaxGroupIDBytes)
	v.topicName("topic", c.Topic)
	if c.Partition != nil {
		v.atLeast("partition", int64(*c.Partition), 0)
	}
	return v.err
}

func (c ExpireOffsets) validate() error {
	var v checks
	v.text("group", c.Group, MaxGroupIDBytes)
	v.atLeast("before", int64(c.Before), 1)
	return v.err
}

func (c CommitOffsets) decide(d *decision) error {
	group, err := d.view.Group(c.Group)
	if err != nil {
		return err
	}
	if err := mayCommit(group, c.Generation, c.MemberID); err != nil {
		return err
	}
	if err := d.expectOffset(group, c.Offsets); err != nil {
		return err
	}
	committed, err := d.resolve(group, c.Offsets)
	if err != nil {
		return err
	}
	d.facts = slices.Grow(d.facts, len(committed))
	for i := range committed {
		d.emit((*events.OffsetCommitted)(&committed[i]))
	}
	return nil
}

// resolve finds what the names in a commit stand for.
func (d *decision) resolve(group events.Group, offsets []OffsetCommit) ([]events.PendingOffset, error) {
	resolved := make([]events.PendingOffset, len(offsets))
	for i := range offsets {
		ref, err := d.offsetRef(group, &offsets[i])
		if err != nil {
			return nil, events.Errorf(events.CodeOf(err), "offsets[%d]: %w", i, err)
		}
		resolved[i] = events.PendingOffset{OffsetRef: ref, OffsetInfo: offsets[i].info()}
	}
	return resolved, nil
}

// mayCommit holds the rule of Kafka's GroupCoordinator for an offset commit: a
// group with members takes one from a member of the present generation only, a
// group without takes one that names no generation.
func mayCommit(group events.Group, generation *int32, member string) error {
	switch {
	case group.State == events.GroupDead:
		return events.Errorf(events.CodeConflict, "group %q: it is Dead and takes no offsets", group.ID)
	case generation == nil && len(group.Members) == 0:
		return nil
	case generation == nil:
		return events.Errorf(events.CodeFenced, "group %q: it has members, so only they commit; give generation %d and a member's id, or wait until it is empty", group.ID, group.Generation)
	case *generation != group.Generation:
		return events.Errorf(events.CodeFenced, "group %q: generation %d is not the present one, %d; join the group again", group.ID, *generation, group.Generation)
	}
	for _, m := range group.Members {
		if m.ID == member {
			return nil
		}
	}
	return events.Errorf(events.CodeFenced, "group %q: %q is no member in generation %d; join the group again", group.ID, member, group.Generation)
}

// expectOffset compares the expected revision with that of the one offset in a
// commit.
func (d *decision) expectOffset(group events.Group, offsets []OffsetCommit) error {
	if d.ifRevision == nil {
		return nil
	}
	if len(offsets) != 1 {
		return fieldError("if_revision", "goes with a single offset, not with %d", len(offsets))
	}
	o := offsets[0]
	existing, err := d.view.Offset(group.ID, o.Topic, o.Partition)
	_, err = d.exists(offsetLabel(group.ID, o.Topic, o.Partition), existing.Revision, err)
	return err
}

// offsetRef resolves the names in a commit.
func (d *decision) offsetRef(group events.Group, o *OffsetCommit) (events.OffsetRef, error) {
	topic, err := d.view.TopicRow(o.Topic)
	if err != nil {
		return events.OffsetRef{}, err
	}
	if o.TopicID != uuid.Nil && o.TopicID != topic.ID {
		return events.OffsetRef{}, events.Errorf(events.CodeNotFound, "topic %q: its id is %s, not %s: the topic that was meant is gone; read the name's id again", o.Topic, topic.ID, o.TopicID)
	}
	_, err = partitionOf(topic, o.Partition)
	return offsetOf(group.GroupRef, refOf(topic), o.Partition), err
}

func offsetOf(group events.GroupRef, topic events.TopicRef, partition int32) events.OffsetRef {
	return events.OffsetRef{Group: group.ID, GroupID: group.GroupID, Topic: topic.Name, TopicID: topic.ID, Partition: partition}
}

func (o *OffsetCommit) info() events.OffsetInfo {
	info := events.OffsetInfo{Offset: o.Offset, LeaderEpoch: -1, Metadata: o.Metadata}
	set(&info.LeaderEpoch, o.LeaderEpoch)
	return info
}

func (c DeleteOffsets) decide(d *decision) error {
	group, topic, err := d.idleGroup(c.Group, c.Topic)
	if err != nil {
		return err
	}
	if c.Partition != nil {
		existing, err := d.view.Offset(c.Group, c.Topic, *c.Partition)
		if err := d.found(offsetLabel(c.Group, c.Topic, *c.Partition), existing.Revision, err); err != nil {
			return err
		}
		d.emit(&events.OffsetDeleted{OffsetRef: existing.OffsetRef})
		return nil
	}
	for o, err := range d.view.Offsets(group) {
		if err != nil {
			return err
		}
		if o.TopicID != topic.ID {
			continue
		}
		d.emit(&events.OffsetDeleted{OffsetRef: o.OffsetRef})
	}
	return nil
}

// idleGroup finds a group without members and a topic, for an operator's change
// of offsets.
func (d *decision) idleGroup(groupID, topicName string) (events.Group, events.Topic, error) {
	group, err := d.view.Group(groupID)
	if err != nil {
		return group, events.Topic{}, err
	}
	if n := len(group.Members); n > 0 {
		return group, events.Topic{}, events.Errorf(events.CodeConflict, "group %q: it has %d members; stop them first", groupID, n)
	}
	topic, err := d.view.Topic(topicName)
	return group, topic, err
}

func (c ExpireOffsets) decide(d *decision) error {
	group, err := d.view.Group(c.Group)
	if err != nil || len(group.Members) > 0 {
		return err
	}
	for o, err := range d.view.Offsets(group) {
		if err != nil {
			return err
		}
		if o.CommittedAt >= c.Before {
			continue
		}
		expired := &events.OffsetExpired{OffsetRef: o.OffsetRef}
		if fits, err := d.room(expired); err != nil || !fits {
			return err
		}
		d.emit(expired)
	}
	return nil
}

// currentOffset returns the group's offset in a partition, if it has one.
func (d *decision) currentOffset(group, topic string, partition int32) (events.Offset, bool, error) {
	o, err := d.view.Offset(group, topic, partition)
	if errors.Is(err, ErrNotFound) {
		return o, false, nil
	}
	return o, err == nil, err
}

func offsetLabel(group, topic string, partition int32) string {
	return fmt.Sprintf("offset of group %q in topic %q, partition %d", group, topic, partition)
}
