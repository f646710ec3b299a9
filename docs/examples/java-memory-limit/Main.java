import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

public class Main {
    public static void main(String[] args) {
        List<byte[]> kept = new ArrayList<>();
        while (true) {
            byte[] block = new byte[100_000];
            Arrays.fill(block, (byte) 1);
            kept.add(block);
        }
    }
}
