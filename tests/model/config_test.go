package model

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// someConfig draws a config of up to two keys.
func (r *run) someConfig() events.Config {
	config := events.Config{}
	for range r.number("keys", 2) {
		config[r.configKey()] = r.pick("value", "1", "2")
	}
	return config
}

func (r *run) configKey() string { return r.pick("key", "x", "y") }

// setConfig sets the whole config of a scope.
func (m *model) setConfig(of events.EntityRef, config events.Config) {
	delete(m.configs, of)
	if len(config) > 0 {
		m.configs[of] = events.ConfigEntry{Scope: of, Config: config, Revision: m.at.Seq}
	}
	if t := m.topics[of.ID]; of.Kind == events.KindTopic {
		m.touch(t)
	}
}

// owner returns the error for a scope whose owner is not there.
func (m *model) owner(of events.EntityRef) error {
	there := true
	switch of.Kind {
	case events.KindTopic:
		there = m.topics[of.ID] != nil
	case events.KindGroup:
		there = m.groups[of.ID] != nil
	case events.KindBroker:
		id, err := strconv.ParseInt(of.ID, 10, 32)
		there = err == nil && m.brokers[int32(id)] != nil
	}
	return firstOf(!there, metalog.ErrNotFound)
}

func (r *run) configScope() events.EntityRef {
	switch r.pick("scope", "topic", "topic", "group", "broker", "cluster") {
	case "topic":
		return topicScope(r.topicName())
	case "group":
		return groupScope(r.groupName())
	case "broker":
		return events.BrokerInfo{ID: r.brokerID()}.Entity()
	}
	return events.EntityRef{Kind: events.KindCluster}
}

func (r *run) configStep() {
	of := r.configScope()
	entry := r.model.configs[of]
	config := maps.Clone(entry.Config)
	if config == nil {
		config = events.Config{}
	}
	key, before := r.configKey(), r.model.owner(of)
	_, set := config[key]
	switch r.pick("how", "set", "set", "delete", "delete all") {
	case "set":
		value := r.pick("value", "1", "2")
		cmd := metalog.SetConfig{Scope: of, Config: events.Config{key: value}}
		if r.doAt(cmd, before, entry.Revision, firstOf(config[key] == value, errUnchanged)) {
			config[key] = value
			r.model.setConfig(of, config)
		}
	case "delete":
		if r.doAt(metalog.DeleteConfig{Scope: of, Keys: []string{key}}, before, entry.Revision, firstOf(!set, metalog.ErrNotFound)) {
			delete(config, key)
			r.model.setConfig(of, config)
		}
	case "delete all":
		if r.doAt(metalog.DeleteConfig{Scope: of}, before, entry.Revision, firstOf(len(config) == 0, errUnchanged)) {
			r.model.setConfig(of, nil)
		}
	}
}

func (r *run) compareConfigs() {
	ctx := r.tb.Context()
	byScope := func(a, b events.ConfigEntry) int { return cmp.Compare(a.Scope.String(), b.Scope.String()) }
	got, err := metalog.Collect(r.ListConfigs(ctx))
	slices.SortFunc(got, byScope)
	r.check(err, append([]events.ConfigEntry{}, got...), append([]events.ConfigEntry{}, slices.SortedFunc(maps.Values(r.model.configs), byScope)...))
	scopes := []events.EntityRef{{Kind: events.KindCluster}, topicScope("a"), groupScope("g"), events.BrokerInfo{ID: 1}.Entity()}
	for _, of := range scopes {
		got, err := r.GetConfig(ctx, of)
		if missing := r.model.owner(of); missing != nil {
			r.refused(err, missing)
			continue
		}
		want := r.model.configs[of]
		want.Scope = of
		r.check(err, got, want)
	}
}
