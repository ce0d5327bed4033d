import DefaultTheme from 'vitepress/theme-without-fonts';
import { h } from 'vue';
import './style.css';

const FIVE_LINES = `import { fromPretrained } from 'xlstm';

const model = await fromPretrained('models/stories');
const story = model.generate('Once upon a time');
for await (const { text } of story) {
  process.stdout.write(text);
}
await model.dispose();`;

export default {
  extends: DefaultTheme,
  Layout: () =>
    h(DefaultTheme.Layout, null, {
      'home-hero-image': () => h('pre', { class: 'five-lines' }, h('code', FIVE_LINES)),
    }),
};
