import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.net.InetSocketAddress;
import java.util.List;

/**
 * Starts mongo-java-server, which keeps everything in memory, on a port of 127.0.0.1 (0 or none: a free one) and prints
 * its address once it listens. It runs until it is interrupted or, with --until-stdin-closes, until whoever started it
 * is gone.
 */
public class Launcher {

    /** Newer than the newest of the server's own versions, whose wire version today's drivers refuse. */
    private static final class Announced implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    }

    public static void main(String[] arguments) throws Exception {
        List<String> given = List.of(arguments);
        boolean untilStdinCloses = given.contains("--until-stdin-closes");
        int port = given.stream().filter(word -> !word.startsWith("--")).mapToInt(Integer::parseInt).findFirst().orElse(0);

        MongoServer server = new MongoServer(new MemoryBackend().version(new Announced()));
        server.bind(new InetSocketAddress("127.0.0.1", port));
        System.out.println("mongodb://127.0.0.1:" + server.getLocalAddress().getPort() + "/?retryWrites=false");
        System.out.flush();
        if (untilStdinCloses) {
            while (System.in.read() != -1) {
                // Nothing is read on purpose: only the end of the stream means something.
            }
            System.exit(0);
        }
    }
}
