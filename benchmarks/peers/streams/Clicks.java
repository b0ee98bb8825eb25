// The same count, view and emitter with Kafka Streams. The contract is that of the other programs.

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;

public class Clicks {
  public static class User {
    public long Clicks;
  }

  static final ObjectMapper JSON = new ObjectMapper();
  static final Map<String, String> options = new HashMap<>();

  static Serde<User> userSerde() {
    return Serdes.serdeFrom(
        (topic, user) -> {
          try {
            return user == null ? null : JSON.writeValueAsBytes(user);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        },
        (topic, data) -> {
          try {
            return data == null ? null : JSON.readValue(data, User.class);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  static synchronized void say(String facts) {
    System.out.println("{" + facts + "}");
    System.out.flush();
  }

  static Properties settings() {
    Properties p = new Properties();
    boolean exactlyOnce = options.containsKey("exactly-once");
    boolean latency = options.containsKey("latency");
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("brokers"));
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, options.getOrDefault("group", "view"));
    p.put(StreamsConfig.STATE_DIR_CONFIG, options.get("state"));
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, latency ? 0L : 64L << 20);
    double commit = exactlyOnce || latency ? 0.1 : 5;
    commit = Double.parseDouble(options.getOrDefault("commit", "" + commit));
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Math.round(commit * 1000));
    if (exactlyOnce) {
      p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    }
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
    p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 5);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    return p;
  }

  static KafkaStreams start(StreamsBuilder builder, CountDownLatch running) {
    KafkaStreams streams = new KafkaStreams(builder.build(), settings());
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.RUNNING) {
            running.countDown();
          } else if (now == KafkaStreams.State.ERROR) {
            System.exit(1);
          }
        });
    streams.start();
    return streams;
  }

  static void count() throws Exception {
    long messages = Long.parseLong(options.get("messages"));
    AtomicLong counted = new AtomicLong();
    CountDownLatch running = new CountDownLatch(1), end = new CountDownLatch(1);
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(options.get("topic"), Consumed.with(Serdes.String(), Serdes.String()))
        .groupByKey()
        .aggregate(
            User::new,
            (key, click, user) -> {
              user.Clicks++;
              if (counted.incrementAndGet() == messages) {
                end.countDown();
              }
              return user;
            },
            Materialized.<String, User, KeyValueStore<Bytes, byte[]>>as("clicks")
                .withKeySerde(Serdes.String())
                .withValueSerde(userSerde()));
    KafkaStreams streams = start(builder, running);
    Thread main = Thread.currentThread();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  end.countDown();
                  try {
                    main.join();
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                }));
    running.await();
    say("\"ready\": true");
    end.await();
    // Without leaving, the next start waits until this member's session has timed out.
    streams.close(
        CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP)
            .withTimeout(Duration.ofSeconds(60)));
    say("\"counted\": " + counted);
    Runtime.getRuntime().halt(0); // after SIGTERM Java would end with 143
  }

  static void view() throws Exception {
    CountDownLatch running = new CountDownLatch(1);
    StreamsBuilder builder = new StreamsBuilder();
    builder.globalTable(
        options.get("table"),
        Consumed.with(Serdes.String(), userSerde()),
        Materialized.<String, User, KeyValueStore<Bytes, byte[]>>as("view"));
    say("\"ready\": true");
    KafkaStreams streams = start(builder, running);
    running.await();
    say("\"done\": true");
    long rows = 0, clicks = 0;
    var store = streams.store(
        StoreQueryParameters.fromNameAndType(
            "view", QueryableStoreTypes.<String, User>keyValueStore()));
    try (var all = store.all()) {
      while (all.hasNext()) {
        rows++;
        clicks += all.next().value.Clicks;
      }
    }
    say("\"rows\": " + rows + ", \"clicks\": " + clicks);
    streams.close(Duration.ofSeconds(60));
  }

  static void emit() throws Exception {
    long messages = Long.parseLong(options.get("messages"));
    long users = Long.parseLong(options.get("users"));
    Properties p = new Properties();
    p.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("brokers"));
    p.put(ProducerConfig.ACKS_CONFIG, "all");
    p.put(ProducerConfig.LINGER_MS_CONFIG, 50);
    p.put(ProducerConfig.BATCH_SIZE_CONFIG, 256 << 10);
    AtomicLong acknowledged = new AtomicLong();
    try (var producer =
        new KafkaProducer<String, String>(p, new StringSerializer(), new StringSerializer())) {
      producer.partitionsFor(options.get("topic"));
      say("\"ready\": true");
      for (long i = 0; i < messages; i++) {
        producer.send(
            new ProducerRecord<>(
                options.get("topic"), "user-" + i % users, "2026-01-01T00:00:00.000000+00:00"),
            (metadata, error) -> {
              if (error == null) {
                acknowledged.incrementAndGet();
              }
            });
      }
    }
    say("\"emitted\": " + acknowledged);
  }

  public static void main(String[] args) throws Exception {
    for (int i = 1; i < args.length; i++) {
      boolean valued = i + 1 < args.length && !args[i + 1].startsWith("--");
      options.put(args[i].substring(2), valued ? args[i + 1] : "");
      i += valued ? 1 : 0;
    }
    switch (args[0]) {
      case "count" -> count();
      case "view" -> view();
      case "emit" -> emit();
      default -> throw new IllegalArgumentException(args[0]);
    }
  }
}
