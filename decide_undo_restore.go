package metalog

import (
	"errors"
	"maps"
	"slices"

	"github.com/metalog/metalog/events"
)

// What each step emits. The order in which they are done is that of undoOrder.

func (u *undoing) restoreTopic(t target, step *undoStep) error {
	was := was[events.Topic](step)
	topic, err := u.view.TopicByID(t.Topic.ID)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	case was == nil && exists:
		return DeleteTopic{Name: topic.Name}.decide(u.decision)
	case was == nil:
		return nil
	case !exists:
		return u.remakeTopic(*was)
	case topic.ReplicationFactor != was.ReplicationFactor:
		u.emit(&events.TopicUpdated{TopicRef: t.Topic, ReplicationFactor: was.ReplicationFactor, Config: topic.Config})
	}
	return nil
}

// remakeTopic creates a topic again. Its config comes with a step of its own.
func (u *undoing) remakeTopic(was events.Topic) error {
	existing, err := u.view.TopicRow(was.Name)
	if err == nil {
		return events.Errorf(events.CodeConflict, "topic %q: there is another one of this name now (id %s); delete that one first", was.Name, existing.ID)
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	ref := events.TopicRef{Name: was.Name, ID: u.newID()}
	u.made.Topics[was.ID] = ref
	u.emit(&events.TopicCreated{
		TopicRef: ref, Partitions: was.Partitions, ReplicationFactor: was.ReplicationFactor, Internal: was.Internal,
	})
	return nil
}

func (u *undoing) restoreSegment(t target, step *undoStep) error {
	was := was[events.Segment](step)
	if exists, err := u.view.HasTopic(t.Topic.ID); err != nil || !exists {
		return err
	}
	now, err := t.read(u.view)
	if err != nil {
		return err
	}
	present, exists := now.value.(events.Segment)
	if was == nil {
		if exists {
			u.emit(&events.SegmentRemoved{PartitionRef: present.PartitionRef, ID: t.Name})
		}
		return nil
	}
	marks, err := u.view.Watermarks(t.Topic.ID, was.Partition)
	if err != nil || was.EndOffset < marks.LogStartOffset {
		return err // what was in it is gone
	}
	if exists {
		unchanged, err := same(present.SegmentInfo, was.SegmentInfo)
		if err != nil || unchanged && present.Partition == was.Partition {
			return err
		}
		u.emit(&events.SegmentRemoved{PartitionRef: present.PartitionRef, ID: t.Name})
	}
	ref := events.PartitionRef{Topic: t.Topic.Name, TopicID: t.Topic.ID, Partition: was.Partition}
	u.emit(&events.SegmentAdded{PartitionRef: ref, SegmentInfo: was.SegmentInfo})
	return nil
}

// restoreWatermarks gives a topic that was created again its watermarks. Those
// that are there only ever go forward.
func (u *undoing) restoreWatermarks(t target, step *undoStep) error {
	was := was[watermarksRow](step)
	if exists, err := u.view.HasTopic(t.Topic.ID); err != nil || !exists || was == nil {
		return err
	}
	if now, err := t.read(u.view); err != nil || now.value != nil {
		return err
	}
	u.emit(&events.HighWatermarkAdvanced{PartitionRef: t.partition(), HighWatermark: was.HighWatermark, LeaderEpoch: was.LeaderEpoch})
	if was.LogStartOffset != 0 {
		u.emit(&events.LogStartOffsetAdvanced{PartitionRef: t.partition(), LogStartOffset: was.LogStartOffset})
	}
	return nil
}

func (u *undoing) restoreGroup(t target, step *undoStep) error {
	was := was[events.Group](step)
	now, err := t.read(u.view)
	switch {
	case err != nil:
		return err
	case was == nil && now.value != nil:
		return DeleteGroup{ID: t.Group.ID}.decide(u.decision)
	case was == nil:
		return nil
	case now.value == nil:
		return u.remakeGroup(*was)
	}
	return u.revertGroup(*was, now.value.(events.Group))
}

func (u *undoing) remakeGroup(was events.Group) error {
	existing, err := u.view.Group(was.ID)
	if err == nil {
		return events.Errorf(events.CodeConflict, "group %q: there is another one of this id now (since seq %d); delete that one first", was.ID, existing.GroupID)
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	ref := events.GroupRef{ID: was.ID, GroupID: u.seq}
	u.made.Groups[was.GroupID] = ref
	u.emit(&events.GroupCreated{GroupRef: ref, GroupInfo: was.GroupInfo})
	return nil
}

// revertGroup gives a group its earlier state, but for the generation: members of
// an earlier one stay fenced.
func (u *undoing) revertGroup(was, now events.Group) error {
	info := was.GroupInfo
	info.Generation = max(info.Generation, now.Generation)
	unchanged, err := same(info, now.GroupInfo)
	if err == nil && !unchanged {
		u.emit(&events.GroupUpdated{GroupRef: now.GroupRef, GroupInfo: info})
	}
	return err
}

// restoreOffset does not ask who is in the group: what a member may commit is one
// thing, what an operator brings back another. So it comes back as a reset.
func (u *undoing) restoreOffset(t target, step *undoStep) error {
	was := was[events.Offset](step)
	if exists, err := u.view.HasGroup(t.Group.GroupID); err != nil || !exists {
		return err
	}
	if exists, err := u.view.HasTopic(t.Topic.ID); err != nil || !exists {
		return err
	}
	now, err := t.read(u.view)
	switch {
	case err != nil:
		return err
	case was == nil && now.value != nil:
		u.emit(&events.OffsetDeleted{OffsetRef: t.offset()})
	case was != nil && (now.value == nil || now.value.(events.Offset).OffsetInfo != was.OffsetInfo):
		u.emit(&events.OffsetReset{OffsetRef: t.offset(), OffsetInfo: was.OffsetInfo})
	}
	return nil
}

func (u *undoing) restoreConfig(t target, step *undoStep) error {
	was := step.Was.(configWas)
	scope, err := resolveScope(u.view, t.scope().Of)
	if errors.Is(err, ErrNotFound) || err == nil && scope != t.scope() {
		return nil // its owner is gone, whether or not there is a namesake
	}
	if err != nil {
		return err
	}
	entry, err := u.view.Config(scope)
	if err != nil {
		return err
	}
	unset := slices.DeleteFunc(slices.Sorted(slices.Values(was.Unset)), func(key string) bool {
		_, isSet := entry.Config[key]
		return !isSet
	})
	if len(unset) > 0 {
		u.emit(&events.ConfigDeleted{Scope: scope, Keys: unset})
	}
	changed := maps.Clone(was.Set)
	maps.DeleteFunc(changed, func(key, value string) bool {
		now, isSet := entry.Config[key]
		return isSet && now == value
	})
	if len(changed) == 0 {
		return nil
	}
	present := maps.Clone(entry.Config)
	maps.DeleteFunc(present, func(key, _ string) bool { return slices.Contains(unset, key) })
	if err := fitsEvent(scope, present, changed); err != nil {
		return err
	}
	u.emit(&events.ConfigSet{Scope: scope, Config: changed})
	return nil
}

// restoreBroker registers a broker again, with a new epoch, or takes it away.
func (u *undoing) restoreBroker(t target, step *undoStep) error {
	was := was[events.Broker](step)
	now, err := t.read(u.view)
	switch {
	case err != nil:
		return err
	case was == nil && now.value != nil:
		return RemoveBroker{ID: t.Number, Force: u.force}.decide(u.decision)
	case was == nil:
		return nil
	}
	status := events.BrokerOnline
	if unchanged, err := sameBroker(now, *was); err != nil {
		return err
	} else if unchanged {
		status = now.value.(events.Broker).Status
	} else if err := u.registerAgain(*was); err != nil {
		return err
	}
	if status == was.Status {
		return nil
	}
	return SetBrokerStatus{ID: was.ID, Status: was.Status}.decide(u.decision)
}

func sameBroker(now row, was events.Broker) (bool, error) {
	if now.value == nil {
		return false, nil
	}
	return same(now.value.(events.Broker).BrokerInfo, was.BrokerInfo)
}

func (u *undoing) registerAgain(was events.Broker) error {
	err := RegisterBroker{
		ID: was.ID, Host: was.Host, Port: was.Port, Rack: was.Rack, Endpoints: was.Endpoints, IncarnationID: was.IncarnationID,
	}.decide(u.decision)
	if err != nil {
		return err
	}
	return u.apply()
}
