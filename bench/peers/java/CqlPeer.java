import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.BoundStatement;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.Row;
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The Java driver at the work of bench/cql, by the same lines: OP AMOUNT in, JSON out. 128 requests
 * are in flight, each sent again from its own callback, which is the driver's quickest way. Its
 * arguments: HOST:PORT ROWS, of which there are so many, loaded by another one.
 */
public final class CqlPeer {
  static final int IN_FLIGHT = 128;
  static final int PAGE_ROWS = 5000;
  static final int SAMPLES_MOST = 1 << 22;
  static final String BODY = "x".repeat(100);

  final CqlSession session;
  final PreparedStatement selectOne, selectAll, insertRow, insertWritten;
  final OperatingSystemMXBean system =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  final int[] latencies = new int[SAMPLES_MOST]; // µs
  long loaded;

  CqlPeer(String host, int port, long rows) {
    loaded = rows;
    session =
        CqlSession.builder()
            .addContactPoint(new InetSocketAddress(host, port))
            .withLocalDatacenter("datacenter1")
            .withConfigLoader(
                DriverConfigLoader.programmaticBuilder()
                    .withString(DefaultDriverOption.PROTOCOL_VERSION, "V5")
                    .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(60))
                    .withInt(DefaultDriverOption.REQUEST_PAGE_SIZE, PAGE_ROWS)
                    .withString(
                        DefaultDriverOption.REQUEST_CONSISTENCY,
                        DefaultConsistencyLevel.LOCAL_ONE.name())
                    .build())
            .build();
    session.execute(
        "CREATE KEYSPACE IF NOT EXISTS bench WITH replication ="
            + " {'class': 'SimpleStrategy', 'replication_factor': 1}");
    for (String table : new String[] {"rows", "written"}) {
      session.execute(
          "CREATE TABLE IF NOT EXISTS bench."
              + table
              + " (id bigint PRIMARY KEY, name text, amount int, body text)");
    }
    selectOne = session.prepare("SELECT id, name, amount, body FROM bench.rows WHERE id = ?");
    selectAll = session.prepare("SELECT id, name, amount, body FROM bench.rows");
    insertRow = session.prepare(insert("rows"));
    insertWritten = session.prepare(insert("written"));
  }

  static String insert(String table) {
    return "INSERT INTO bench." + table + " (id, name, amount, body) VALUES (?, ?, ?, ?)";
  }

  static BoundStatement bind(PreparedStatement statement, long id) {
    return statement.bind(id, "row " + id, (int) (id % 1000), BODY);
  }

  /** Every column, as an application would have it. */
  static long decode(Row row) {
    return row.getLong(0) + row.getString(1).length() + row.getInt(2) + row.getString(3).length();
  }

  /** What all rounds have: the time, the count, the errors and the latencies. */
  abstract class Round {
    final AtomicLong done = new AtomicLong();
    final AtomicLong errors = new AtomicLong();
    final AtomicInteger samples = new AtomicInteger();
    final CountDownLatch ended = new CountDownLatch(1);
    volatile long sum; // what was decoded, so that it is

    abstract void start();

    void note(long sentNs, long count) {
      done.addAndGet(count);
      int index = samples.getAndIncrement();
      if (index < SAMPLES_MOST) {
        latencies[index] = (int) ((System.nanoTime() - sentNs) / 1000);
      }
    }

    void fail(Throwable error) {
      if (errors.getAndIncrement() == 0) {
        System.err.println(error);
      }
    }

    String run(String op) throws InterruptedException {
      long cpu = system.getProcessCpuTime();
      long from = System.nanoTime();
      start();
      ended.await();
      double seconds = (System.nanoTime() - from) / 1e9;
      double cpuSeconds = (system.getProcessCpuTime() - cpu) / 1e9;
      int count = Math.min(samples.get(), SAMPLES_MOST);
      Arrays.sort(latencies, 0, count);
      return String.format(
          Locale.ROOT,
          "{\"op\": \"%s\", \"ops\": %d, \"seconds\": %.6f, \"cpu\": %.6f, \"errors\": %d,"
              + " \"p50_us\": %d, \"p99_us\": %d}",
          op,
          done.get(),
          seconds,
          cpuSeconds,
          errors.get(),
          count > 0 ? latencies[count / 2] : 0,
          count > 0 ? latencies[(int) (count * 0.99)] : 0);
    }
  }

  /** Statements of one row: so many of them, or for so long. */
  abstract class Single extends Round {
    final AtomicInteger open = new AtomicInteger(IN_FLIGHT);
    final AtomicLong started = new AtomicLong();
    final long most;
    final long untilNs;

    Single(long most, double seconds) {
      this.most = most;
      this.untilNs = System.nanoTime() + (long) (seconds * 1e9);
    }

    abstract BoundStatement make(long number);

    void take(AsyncResultSet result) {}

    @Override
    void start() {
      for (int i = 0; i < IN_FLIGHT; i++) {
        next();
      }
    }

    void next() {
      long now = System.nanoTime();
      long number = started.getAndIncrement();
      if (number >= most || now >= untilNs) {
        if (open.decrementAndGet() == 0) {
          ended.countDown();
        }
        return;
      }
      session
          .executeAsync(make(number))
          .whenComplete(
              (result, error) -> {
                if (error != null) {
                  fail(error);
                } else {
                  take(result);
                  note(now, 1);
                }
                next();
              });
    }
  }

  /** All rows, page by page, again and again. */
  final class Scan extends Round {
    final long untilNs;
    long sentNs;

    Scan(double seconds) {
      untilNs = System.nanoTime() + (long) (seconds * 1e9);
    }

    @Override
    void start() {
      sentNs = System.nanoTime();
      session.executeAsync(selectAll.bind()).whenComplete(this::take);
    }

    void take(AsyncResultSet page, Throwable error) {
      if (error != null) {
        fail(error);
        ended.countDown();
        return;
      }
      long asked = sentNs;
      boolean goesOn = System.nanoTime() < untilNs;
      sentNs = System.nanoTime();
      if (goesOn && page.hasMorePages()) { // before this one is decoded
        page.fetchNextPage().whenComplete(this::take);
      }
      long rows = 0, read = 0;
      for (Row row : page.currentPage()) {
        read += decode(row);
        rows++;
      }
      sum = read;
      note(asked, rows);
      if (!goesOn) {
        ended.countDown();
      } else if (!page.hasMorePages()) {
        start();
      }
    }
  }

  Round round(String op, String amount) {
    switch (op) {
      case "load":
        loaded = Long.parseLong(amount);
        return new Single(loaded, 1e9) {
          @Override
          BoundStatement make(long number) {
            return bind(insertRow, number);
          }
        };
      case "write":
        return new Single(Long.MAX_VALUE, Double.parseDouble(amount)) {
          @Override
          BoundStatement make(long number) {
            return bind(insertWritten, ThreadLocalRandom.current().nextLong());
          }
        };
      case "read":
        return new Single(Long.MAX_VALUE, Double.parseDouble(amount)) {
          @Override
          BoundStatement make(long number) {
            return selectOne.bind(ThreadLocalRandom.current().nextLong(loaded));
          }

          @Override
          void take(AsyncResultSet result) {
            sum = decode(result.one());
          }
        };
      case "scan":
        return new Scan(Double.parseDouble(amount));
      default:
        throw new IllegalArgumentException("say load, read, write or scan, not " + op);
    }
  }

  void serve() throws Exception {
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    System.out.println("ready");
    for (String line; (line = input.readLine()) != null; ) {
      String[] words = line.trim().split(" ");
      System.out.println(round(words[0], words[1]).run(words[0]));
    }
  }

  public static void main(String[] arguments) throws Exception {
    int colon = arguments[0].lastIndexOf(':');
    String host = arguments[0].substring(0, colon);
    int port = Integer.parseInt(arguments[0].substring(colon + 1));
    CqlPeer peer = new CqlPeer(host, port, Long.parseLong(arguments[1]));
    peer.serve();
    peer.session.close();
  }
}
