package views

import (
	"encoding/binary"
	"iter"

	"github.com/metalog/metalog/events"
)

func groupKey(number uint64) key { return bucketGroups.key().uint64(number) }
func groupNameKey(id string) key { return bucketGroupsByName.key().string(id) }

// Group returns the group of that id.
func (r *Reader) Group(id string) (events.Group, error) {
	if r.kept != nil {
		return r.kept.groups.get(id, r.findGroup)
	}
	return r.findGroup(id)
}

func (r *Reader) findGroup(id string) (events.Group, error) {
	value, found, err := r.get(groupNameKey(id))
	if err != nil {
		return events.Group{}, err
	}
	if !found {
		return events.Group{}, events.Errorf(events.CodeNotFound, "group %q: not found; 'metalog group list' shows the groups", id)
	}
	return r.indexedGroup(value)
}

// GroupByNumber returns the group of that internal number.
func (r *Reader) GroupByNumber(number uint64) (events.Group, error) {
	group, found, err := r.groupRow(number)
	if err == nil && !found {
		err = events.Errorf(events.CodeNotFound, "group number %d: not found; it may have been deleted: 'metalog group list' shows the groups", number)
	}
	return group, err
}

func (r *Reader) groupRow(number uint64) (events.Group, bool, error) {
	return load[events.Group](r, groupKey(number))
}

// indexedGroup returns the group of an index row's value.
func (r *Reader) indexedGroup(value []byte) (events.Group, error) {
	if len(value) != 8 {
		return events.Group{}, errBadRow(bucketGroupsByName)
	}
	group, found, err := r.groupRow(binary.BigEndian.Uint64(value))
	if err == nil && !found {
		err = errBrokenIndex(bucketGroupsByName)
	}
	return group, err
}

// HasGroup reports whether there is a group of that internal number.
func (r *Reader) HasGroup(number uint64) (bool, error) { return r.has(groupKey(number)) }

// Groups yields all groups in order of id.
func (r *Reader) Groups() iter.Seq2[events.Group, error] {
	return collect(r.scan(bucketGroupsByName.key()), func(e entry) (events.Group, bool, error) {
		group, err := r.indexedGroup(e.value)
		return group, true, err
	})
}

// groupName returns the id of a group, and whether it is reachable. The id of
// one that is being purged comes from its cascade.
func (n *names) groupName(number uint64) (id string, reachable bool, err error) {
	if n.group.GroupID == number && n.group.ID != "" {
		return n.group.ID, true, nil
	}
	group, found, err := n.r.groupRow(number)
	if err != nil {
		return "", false, err
	}
	if found {
		n.group = group.GroupRef
		return group.ID, true, nil
	}
	id, err = n.r.purgedGroup(number)
	return id, false, err
}

// purgedGroup returns the id of a group that is being purged.
func (r *Reader) purgedGroup(number uint64) (string, error) {
	for c, err := range r.Cascades() {
		if err != nil {
			return "", err
		}
		if c.Kind == events.CascadeGroupDelete && c.Group.GroupID == number {
			return c.Group.ID, nil
		}
	}
	return "", events.Errorf(events.CodeCorrupt, "views: rows hang on group number %d, which is neither there nor being purged; rebuild the views", number)
}

// PutGroup sets a group, whose id and number never change.
func (tx *Tx) PutGroup(group events.Group) error {
	tx.kept.groups.drop(group.ID)
	if err := tx.put(groupNameKey(group.ID), binary.BigEndian.AppendUint64(nil, group.GroupID)); err != nil {
		return err
	}
	return tx.save(groupKey(group.GroupID), group)
}

// DeleteGroup removes a group: what hangs on it can't be reached any more.
func (tx *Tx) DeleteGroup(number uint64) error {
	group, err := tx.GroupByNumber(number)
	if err != nil {
		return errDeletesMissing(err)
	}
	tx.kept.groups.drop(group.ID)
	if err := tx.remove(groupNameKey(group.ID)); err != nil {
		return err
	}
	return tx.remove(groupKey(number))
}
