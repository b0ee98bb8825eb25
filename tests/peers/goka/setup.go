package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
)

// flagSet holds the flags of one command and those that all have.
type flagSet struct {
	*flag.FlagSet
	brokers, acks *string
	oldest        *bool
	session       *time.Duration
}

func newFlags(command string) flagSet {
	set := flag.NewFlagSet(command, flag.ExitOnError)
	return flagSet{
		set,
		set.String("brokers", "127.0.0.1:9092", "Kafka's addresses, with commas between them"),
		set.String("acks", "local", "a write is done when the leader has it (local) or all replicas have it (all)"),
		set.Bool("oldest", false, "begin a new group at the oldest click, not at the newest"),
		set.Duration("session", 10*time.Second, "how long a group waits for a silent member"),
	}
}

// use parses args and sets up Goka accordingly; it returns the brokers.
func (flags flagSet) use(args []string) []string {
	_ = flags.Parse(args) // ExitOnError: it does not return an error
	config := goka.DefaultConfig()
	if *flags.acks == "all" {
		config.Producer.RequiredAcks = sarama.WaitForAll
	}
	if *flags.oldest {
		config.Consumer.Offsets.Initial = sarama.OffsetOldest
	}
	config.Consumer.Group.Session.Timeout = *flags.session
	config.Consumer.Group.Heartbeat.Interval = *flags.session / 4
	goka.ReplaceGlobalConfig(config)
	return strings.Split(*flags.brokers, ",")
}

func builder(folder string) storage.Builder {
	if folder == "" {
		return storage.MemoryBuilder()
	}
	return storage.DefaultBuilder(folder)
}

// topicManager makes tables that a cluster of one broker can have; Goka's own have two replicas.
func topicManager(brokers []string) (goka.TopicManager, error) {
	config := goka.NewTopicManagerConfig()
	config.Table.Replication = 1
	return goka.TopicManagerBuilderWithTopicManagerConfig(config)(brokers)
}

// waitForLeaders waits until each partition of a topic has its leader. Goka's processor does not
// wait for those of a table that it has just created, and fails.
func waitForLeaders(brokers []string, topic string) error {
	topics, err := topicManager(brokers)
	if err != nil {
		return err
	}
	defer topics.Close()
	partitions, err := topics.Partitions(topic)
	for deadline := time.Now().Add(10 * time.Second); err == nil && len(partitions) > 0; {
		if _, failed := topics.GetOffset(topic, partitions[0], sarama.OffsetOldest); failed == nil {
			partitions = partitions[1:]
		} else if time.Now().After(deadline) {
			err = failed
		} else {
			time.Sleep(20 * time.Millisecond)
		}
	}
	return err
}

// report prints one line of JSON, whole also when goroutines print at once.
func report(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}
